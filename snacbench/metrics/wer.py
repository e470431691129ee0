"""Word and character error rate of what a recogniser hears, against what was said.

Substitutions, deletions and insertions of the cheapest alignment over the words (characters) of the
transcript: `wer` of the degraded signal, `wer_reference` of the untouched reference, which a codec
without any loss would get, and `wer_delta` the first minus the second. Levenshtein distance by the
package ``jiwer``; both texts normalised as Whisper's authors do (Radford et al. 2022, appendix C),
by the package ``whisper-normalizer``: English, and all other languages by the rules they have for
those. A clip of which nobody states the language is taken for English.
"""

import functools
import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, get_args

from snacbench.errors import Undefined
from snacbench.metrics import _asr
from snacbench.metrics._asr import ENGLISH
from snacbench.metrics._guards import VOICE, guarded, versions_of
from snacbench.types import NO_OPTIONS, Audio, Metric, MetricOptions, MetricSpec
from snacbench.weights.of_metrics import digests_of, located

Unit = Literal["words", "characters"]
Of = Literal["degraded", "reference", "delta"]

_APOSTROPHES = "\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4\u0060\uff07"
# What a keyboard has in place of what a typesetter writes.
_PLAIN = str.maketrans({**dict.fromkeys(_APOSTROPHES, "'"), "\u2026": "..."})

# Written without spaces between words: there each letter is a word (appendix C; Cantonese, which
# came with the third model, as in its authors' tokenizer).
_UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}

# Chinese of Hong Kong is Cantonese where somebody speaks it, as in Common Voice.
_CANTONESE = {"zh-HK", "zh-Hant-HK"}

_LANGUAGES = "each clip's own, English where none is stated"

# Recognisers look at windows of 25 ms and need a few of them.
MIN_DURATION_S = 0.1

WER = replace(
    VOICE, name="wer", version="4", better="lower", range=(0.0, math.inf),
    citation="Levenshtein distance in words over their number; texts as Radford et al. 2022",
    implementation="jiwer", requires=("jiwer", "whisper_normalizer"), needs_transcript=True,
)  # fmt: skip
CER = replace(WER, name="cer", citation=WER.citation.replace("words", "characters"))


def error_rate(spoken: str, heard: str, unit: Unit, language: str = ENGLISH) -> float:
    """Errors in `heard` as a share of the length of `spoken`; lower is better, can exceed 1.

    Both texts are normalised first; of characters, the spaces between words count.
    """
    import jiwer

    said, found = (normalised(text, language, unit) for text in (spoken, heard))
    if unit == "words":
        return float(jiwer.process_words(said, found).wer)
    return float(jiwer.process_characters(said, found).cer)


def normalised(text: str, language: str = ENGLISH, unit: Unit = "words") -> str:
    """A text in lower case without punctuation, marks and what stands in brackets.

    Of English, also without fillers and contractions, with numbers as digits; and how it is typeset
    does not matter: its apostrophes, quotes and dashes, spaces that do not break, characters that
    show nothing, composed or decomposed accents. The words of languages that are written without
    spaces are their letters.
    """
    if language != ENGLISH:
        apart = unit == "words" and language in _UNSPACED
        return str(_normaliser(english=False, split_letters=apart)(text)).strip()
    composed = unicodedata.normalize("NFC", text).translate(_PLAIN)
    shown = "".join(c for c in composed if unicodedata.category(c) != "Cf")
    return str(_normaliser(english=True, split_letters=False)(shown)).strip()


@functools.cache
def _normaliser(*, english: bool, split_letters: bool) -> Callable[[str], str]:
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    basic = functools.partial(BasicTextNormalizer, split_letters=split_letters)
    found: Callable[[str], str] = EnglishTextNormalizer() if english else basic()
    return found


def _metric(base: MetricSpec, unit: Unit, of: Of, options: MetricOptions = NO_OPTIONS) -> Metric:
    spec = base if of == "degraded" else replace(base, name=f"{base.name}_{of}")
    if of == "delta":
        spec = replace(spec, range=(-math.inf, math.inf))

    def prepare(
        reference: Audio, transcript: str | None = None, stated: str = ""
    ) -> Callable[[Audio], float]:
        # Other regions make no difference here.
        language = "yue" if stated in _CANTONESE else stated.partition("-")[0] or ENGLISH
        if transcript is None:
            raise Undefined(
                f"{spec.name} compares words, and nobody says which are spoken; give the transcript"
            )
        if not any(character.isalnum() for character in normalised(transcript, language)):
            raise Undefined(
                f"nothing is left of the transcript {transcript!r} once it is normalised; a "
                "transcript with words is needed"
            )
        heard = _asr.heard_in(reference, language, options)
        rate = error_rate(transcript, heard, "words", language)
        # A clip in another language, or with the transcript of another clip, would otherwise count
        # several times as much as a clip that a codec made unintelligible.
        if rate >= 1:
            raise Undefined(
                f"the recogniser understands nothing of the untouched reference, taken for "
                f"{language!r} (word error rate {rate:.2f}); the language that is spoken and the "
                "transcript of what is said are needed"
            )
        of_reference = error_rate(transcript, heard, unit, language)

        def compare(degraded: Audio) -> float:
            if of == "reference":
                return of_reference
            heard = _asr.heard_in(degraded, language, options)
            of_degraded = error_rate(transcript, heard, unit, language)
            return of_degraded - of_reference if of == "delta" else of_degraded

        return compare

    def versions() -> Mapping[str, str]:
        chosen = _asr.recogniser(options)
        facts = {"asr": f"{chosen.name}, {chosen.revision}", "asr language": _LANGUAGES}
        for name in _asr.models_of(options):
            facts[name] = digests_of(located(_asr.PUBLISHED[name].model, options).info)
        return {**versions_of("jiwer", "whisper-normalizer")(), **facts}

    return replace(
        guarded(spec, prepare, versions, min_s=MIN_DURATION_S, silence_has_score=True),
        ready=lambda: _asr.check_model(options),
        options=options,
        configure=lambda options: replace(
            _metric(base, unit, of, options), models=_asr.models_of(options)
        ),
    )


MODELS = tuple(published.model for published in _asr.PUBLISHED.values())
_BASES: tuple[tuple[MetricSpec, Unit], ...] = ((WER, "words"), (CER, "characters"))
METRICS = tuple(_metric(base, unit, of) for base, unit in _BASES for of in get_args(Of))
