"""Word and character error rate of what a recogniser hears, against what was said.

Substitutions, deletions and insertions of the cheapest alignment over the words (characters) of the
transcript: `wer` of the degraded signal, `wer_reference` of the untouched reference, which a codec
without any loss would get, and `wer_delta` the first minus the second. Levenshtein distance by the
package ``jiwer``; both texts normalised as Whisper's authors do (Radford et al. 2022, appendix C),
by the package ``whisper-normalizer``.
"""

from __future__ import annotations

import functools
import math
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from snacbench.errors import Undefined
from snacbench.metrics import _asr, _guards
from snacbench.metrics._guards import versions_of
from snacbench.types import NO_OPTIONS, Audio, Metric, MetricOptions, MetricSpec, PreparedMetric

Unit = Literal["words", "characters"]
Of = Literal["degraded", "reference", "delta"]

_APOSTROPHES = "\u2018\u2019\u201b\u02bc\u02b9\u2032\u00b4\u0060\uff07"
# What a keyboard has in place of what a typesetter writes.
_PLAIN = str.maketrans({**dict.fromkeys(_APOSTROPHES, "'"), "\u2026": "..."})

# Recognisers look at windows of 25 ms and need a few of them.
MIN_DURATION_S = 0.1

WER = MetricSpec(
    name="wer",
    version="2",
    unit="1",
    better="lower",
    range=(0.0, math.inf),
    rate_hz=_asr.RATE_HZ,
    domains=("speech",),
    any_length=True,
    default=False,
    citation="Levenshtein distance in words over their number; texts as Radford et al. 2022",
    implementation="jiwer",
    requires=("jiwer", "whisper_normalizer"),
    needs_transcript=True,
)
CER = replace(WER, name="cer", citation=WER.citation.replace("words", "characters"))


def error_rate(spoken: str, heard: str, unit: Unit) -> float:
    """Errors in `heard` as a share of the length of `spoken`; lower is better, can exceed 1.

    Both texts are normalised first; of characters, the spaces between words count.
    """
    import jiwer

    if unit == "words":
        return float(jiwer.process_words(normalised(spoken), normalised(heard)).wer)
    return float(jiwer.process_characters(normalised(spoken), normalised(heard)).cer)


def normalised(text: str) -> str:
    """English text in lower case without punctuation, fillers, contractions; numbers as digits.

    How a text is typeset does not matter: its apostrophes, quotes and dashes, spaces that do not
    break, characters that show nothing, composed or decomposed accents.
    """
    composed = unicodedata.normalize("NFC", text).translate(_PLAIN)
    shown = "".join(c for c in composed if unicodedata.category(c) != "Cf")
    return str(_normaliser()(shown)).strip()


@functools.cache
def _normaliser() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    found: Callable[[str], str] = EnglishTextNormalizer()
    return found


def _metric(base: MetricSpec, unit: Unit, of: Of, options: MetricOptions = NO_OPTIONS) -> Metric:
    asr, offline = options.asr, options.offline
    spec = base if of == "degraded" else replace(base, name=f"{base.name}_{of}")
    if of == "delta":
        spec = replace(spec, range=(-math.inf, math.inf))

    def prepare(reference: Audio, transcript: str | None = None) -> PreparedMetric:
        _guards.accept_reference(reference, spec, min_s=MIN_DURATION_S)
        if transcript is None:
            raise Undefined(
                f"{spec.name} compares words, and nobody says which are spoken; give the transcript"
            )
        if not any(character.isalnum() for character in normalised(transcript)):
            raise Undefined(
                f"nothing is left of the transcript {transcript!r} once it is normalised; a "
                "transcript with words is needed"
            )
        heard = _asr.heard_in(reference, asr, offline=offline)
        rate = error_rate(transcript, heard, "words")
        # A clip in another language, or with the transcript of another clip, would otherwise count
        # several times as much as a clip that a codec made unintelligible.
        if rate >= 1:
            raise Undefined(
                f"the recogniser understands nothing of the untouched reference (word error rate "
                f"{rate:.2f}); English speech and its own transcript are needed"
            )
        of_reference = error_rate(transcript, heard, unit)

        def score(*, degraded: Audio) -> float:
            _guards.accept_degraded(degraded, reference, spec)
            if of == "reference":
                return of_reference
            heard = _asr.heard_in(degraded, asr, offline=offline)
            of_degraded = error_rate(transcript, heard, unit)
            return of_degraded - of_reference if of == "delta" else of_degraded

        return score

    def versions() -> Mapping[str, str]:
        chosen = _asr.recogniser(asr, offline=offline)
        packages = versions_of("jiwer", "whisper-normalizer")()
        return {**packages, "asr": f"{chosen.name}, {chosen.revision}"}

    def ready() -> None:
        _asr.recogniser(asr, offline=offline)

    return Metric(
        spec,
        prepare,
        versions=versions,
        prepare_spoken=prepare,
        ready=ready,
        options=options,
        configure=lambda options: _metric(base, unit, of, options),
    )


METRICS = (
    *(_metric(WER, "words", of) for of in ("degraded", "reference", "delta")),
    *(_metric(CER, "characters", of) for of in ("degraded", "reference", "delta")),
)
