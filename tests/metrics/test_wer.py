from __future__ import annotations

import itertools

import numpy as np
import pytest

from snacbench.errors import Undefined, UserError
from snacbench.metrics import _asr
from snacbench.metrics.wer import METRICS, error_rate, normalised
from snacbench.types import Audio

pytest.importorskip("whisper_normalizer")
WER, WER_REFERENCE, WER_DELTA, CER, CER_REFERENCE, CER_DELTA = METRICS
RATE_HZ = 16_000
SPOKEN = "It was the best of times, it was the worst of times."


class Parrot:
    """Says of every signal what a test told it to, by the signal's first sample."""

    name, revision = "parrot", "1"

    def __init__(self) -> None:
        self.says = {}
        self.asked = 0

    def transcribe(self, audio: Audio) -> str:
        self.asked += 1
        return self.says[round(float(audio.samples[0, 0]), 3)]


@pytest.fixture
def parrot(monkeypatch):
    """A recogniser named parrot, chosen as a user would choose it."""
    bird = Parrot()
    monkeypatch.setitem(_asr.MAKERS, "parrot", lambda kind, detail, device, offline: bird)
    monkeypatch.setenv("SNACBENCH_ASR", "parrot")
    _asr._opened.cache_clear()
    _asr._heard.cache_clear()
    yield bird
    _asr._opened.cache_clear()
    _asr._heard.cache_clear()


def signal(first: float, duration_s: float = 1.0) -> Audio:
    samples = np.random.default_rng(0).standard_normal(round(duration_s * RATE_HZ)) * 0.1
    samples[0] = first
    return Audio(samples.astype(np.float32)[None], RATE_HZ)


X, Y = signal(0.1), signal(0.2)
SILENCE = Audio(np.zeros((1, RATE_HZ), np.float32), RATE_HZ)


def values(*metrics, transcript=SPOKEN):
    return [m(reference=X, degraded=Y, transcript=transcript) for m in metrics]


def test_errors_of_degraded_reference_and_their_difference_over_words_and_characters(parrot):
    parrot.says = {
        0.1: "it was the best of times it was the worst of thymes",
        0.2: "it was the best of wines it was a worst thymes",  # 3 substitutions and 1 deletion
    }
    assert values(WER, WER_REFERENCE, WER_DELTA) == pytest.approx([4 / 12, 1 / 12, 3 / 12])
    _asr._heard.cache_clear()
    parrot.says = {0.1: SPOKEN, 0.2: SPOKEN.replace("best", "bess")}
    length = len(normalised(SPOKEN))
    assert values(CER, CER_REFERENCE, CER_DELTA) == pytest.approx([1 / length, 0, 1 / length])
    _asr._heard.cache_clear()
    parrot.says[0.2] = "it was the best " * 9  # more words than there were
    assert values(WER)[0] > 1


def test_each_signal_is_heard_once_for_all_metrics_and_silence_never(parrot):
    parrot.says = {0.1: SPOKEN, 0.2: SPOKEN}
    values(*METRICS)
    again = Audio(Y.samples.copy(), RATE_HZ)
    WER(reference=X, degraded=again, transcript=SPOKEN)
    assert WER(reference=X, degraded=SILENCE, transcript=SPOKEN) == 1.0
    assert parrot.asked == 2


def test_without_a_value(parrot):
    assert all(m.spec.needs_transcript and not m.spec.default for m in METRICS)
    parrot.says = {0.1: SPOKEN, 0.2: SPOKEN, 0.3: "als auslander dish from sprach and"}
    for metric, (reference, degraded, transcript, said) in itertools.product(
        METRICS,
        (
            (signal(0.3), Y, SPOKEN, r"nothing of the untouched reference .*rate 1\.00"),
            (X, Y, None, "compares words, and nobody says which are spoken"),
            (X, Y, "[music] ...", r"nothing is left of the transcript '\[music\] \.\.\.'"),
            (signal(0.1, 0.05), Y, SPOKEN, "too short"),
            (SILENCE, Y, SPOKEN, "reference is silent"),
            (X, Audio(Y.samples, 8000), SPOKEN, "degraded signal is at 8000 Hz"),
        ),
    ):
        with pytest.raises(Undefined, match=said):
            metric(reference=reference, degraded=degraded, transcript=transcript)


def test_a_recogniser_of_a_metric_of_its_own_leaves_the_others_alone(parrot, monkeypatch):
    magpie = Parrot()
    monkeypatch.setitem(_asr.MAKERS, "magpie", lambda kind, detail, device, offline: magpie)
    parrot.says = {0.1: SPOKEN, 0.2: SPOKEN}
    magpie.says = {0.1: SPOKEN, 0.2: "it was"}
    other = WER.with_asr("magpie")
    assert (other.asr, other.spec, WER.asr) == ("magpie", WER.spec, "")
    assert values(WER, other) == [0.0, pytest.approx(10 / 12)]
    assert WER.with_asr(None) is WER.with_asr("") is WER
    versions = WER.versions()
    assert versions["asr"] == "parrot, 1"
    assert {"jiwer", "whisper-normalizer"} < versions.keys()


def test_spelling_and_how_a_text_is_typeset_are_no_errors():
    for written, heard in {
        "Mr. Smith's colour": "mister smith's color",
        "uh, twenty-one [noise] don't!": "21 do not",
        "$20 million": "twenty million dollars",
        "\u201cHello,\u201d he said\u2014softly\u2026 no": "Hello, he said - softly... no",
        "a\u00a0well\u2011known caf\u00e9": "a well-known cafe\u0301",
        "co\u00adoperate now\u200b\u2060": "cooperate now",
        "\u00abtwenty\u2013two\u00bb\u202fdogs": "twenty-two dogs",
    }.items():
        assert error_rate(written, heard, "words") == 0.0
    plain = "It's John's; we don't, can't and won't say 'no'."
    for apostrophe in "\u2019\u2018\u02bc\u2032\u00b4`\uff07":
        assert error_rate(plain.replace("'", apostrophe), plain, "characters") == 0.0


def test_the_normaliser_is_the_one_of_transformers():
    whisper = pytest.importorskip("transformers.models.whisper.english_normalizer")
    from whisper_normalizer.english import EnglishTextNormalizer

    ours = EnglishTextNormalizer()
    theirs = whisper.EnglishTextNormalizer(ours.standardize_spellings.mapping)
    for text in (SPOKEN, "He paid $20 million in the 1960s, didn't he?", "two hundred and one"):
        assert ours(text) == theirs(text)


def test_a_recogniser_must_be_chosen(monkeypatch, tmp_path):
    monkeypatch.delenv("SNACBENCH_ASR", raising=False)
    monkeypatch.setenv("SNACBENCH_CONFIG", str(tmp_path / "none.toml"))
    with pytest.raises(UserError, match="need a recogniser; name one with --asr: pocketsphinx"):
        WER.ready()
