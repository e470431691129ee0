"""Speech recognition under word error rates: which recogniser, and what it heard in a signal."""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from snacbench.errors import Undefined, UserError, did_you_mean
from snacbench.files import sha256_of_file
from snacbench.later import np, torch, transformers
from snacbench.models import HostedFile, MetricModel, WeightsSource
from snacbench.packages import check_installed, missing_package
from snacbench.settings import ASR_VARIABLE, asr_selector
from snacbench.types import NO_OPTIONS, Audio, MetricOptions
from snacbench.weights.of_metrics import located

RATE_HZ = 16_000
CHOICES = "pocketsphinx, faster-whisper:FOLDER, whisper-large-v3, hubert-large, wav2vec2"
ENGLISH = "en"

# A clip's reference and its decodes, each heard once for all metrics of words.
_TEXTS_KEPT = 256
_SHOWN_DIGITS = 16
_WEIGHTS = "model.bin"

# Codes of ISO 639 that whisper has another one for: Javanese, and Norwegian that is not Nynorsk.
_WHISPERS_CODES = {"jv": "jw", "nb": "no"}


@dataclass
class Recogniser:
    """What turns speech into text, the same text for the same samples.

    To make one is cheap, because the process that plans a run makes one only to ask what tells it
    from any other: `name` and `revision`, which `tell` gives. `load` reads the model anew; `hear`
    takes the recogniser and what `transcribe` does.
    """

    name: str
    tell: Callable[[], str]
    load: Callable[[], Any]
    hear: Callable[["Recogniser", Audio, str], str]

    @cached_property
    def revision(self) -> str:
        """Which package and which model."""
        return self.tell()

    @cached_property
    def model(self) -> Any:
        """The model, read at the first signal."""
        return self.load()

    def transcribe(self, audio: Audio, language: str) -> str:
        """What is said in a mono signal at 16 kHz, in a language by its code of ISO 639.

        Raises `Undefined` if it does not know the language, or does not take so long a signal.
        """
        return self.hear(self, audio, language)


def recogniser(options: MetricOptions = NO_OPTIONS) -> Recogniser:
    """The recogniser that options name; if they name none, whichever the user has set.

    Published models are fetched, if they are not here and unless offline. Raises `UserError` if
    none is set, none is of that name, its package is missing, or its model cannot be had.
    """
    chosen = options.asr or asr_selector()
    if not chosen:
        raise UserError(
            f"word and character error rates need a recogniser; name one with --asr, or "
            f"by {ASR_VARIABLE}: {CHOICES}"
        )
    return _opened(chosen, options)


@functools.cache
def _opened(selector: str, options: MetricOptions) -> Recogniser:
    name, _, detail = selector.partition(":")
    kind, _, device = name.partition("@")
    if kind not in MAKERS:
        raise UserError(
            f"there is no recogniser {selector!r} (written as one of {CHOICES}); "
            f"{did_you_mean(kind, MAKERS)}"
        )
    return MAKERS[kind](kind, detail, device, options)


def check_model(options: MetricOptions = NO_OPTIONS) -> None:
    """Read a recogniser's model once, and let it go; those who hear by it read it themselves.

    Raises `UserError` if that fails, and as `recogniser`.
    """
    recogniser(options)
    _read(options.asr or asr_selector(), options)


@functools.cache
def _read(selector: str, options: MetricOptions) -> None:
    try:
        _opened(selector, options).load()
    except Exception as error:
        if missing := missing_package(error):
            raise missing from error
        why = " ".join(str(error).split())
        raise UserError(
            f"--asr {selector}: its model cannot be loaded ({type(error).__name__}: {why:.300}); "
            "give the files as they were published"
        ) from error


def heard_in(audio: Audio, language: str, options: MetricOptions = NO_OPTIONS) -> str:
    """What a recogniser hears in a mono signal at 16 kHz in a language; nothing in silence.

    Recognisers make up words for digital silence, so that they are not asked about it.
    """
    if all(np.all(samples == samples[0]) for samples in audio.samples):
        return ""
    return _heard(audio.samples.tobytes(), language, options.asr or asr_selector(), options)


@functools.lru_cache(maxsize=_TEXTS_KEPT)
def _heard(samples: bytes, language: str, selector: str, options: MetricOptions) -> str:
    audio = Audio(np.frombuffer(samples, np.float32)[np.newaxis], RATE_HZ)
    return _opened(selector, options).transcribe(audio, language)


def _code_in(known: Iterable[str], language: str, name: str) -> str:
    """A language's code among those that a recogniser knows; else raises `Undefined`."""
    codes = list(known)
    for code in (language, _WHISPERS_CODES.get(language)):
        if code in codes:
            return code
    if codes == [ENGLISH]:
        raise Undefined(
            f"{name} knows English alone ({ENGLISH!r}), and the clip is in {language!r}; name "
            "whisper-large-v3 or faster-whisper:FOLDER with --asr"
        )
    text = f"{name} knows {len(codes)} languages, and the clip is in {language!r}; leave it out"
    raise Undefined(text)


def pocketsphinx(kind: str, detail: str, device: str, _: MetricOptions) -> Recogniser:
    """A small recogniser whose English model lies in its wheel; every fourth word is wrong.

    For trying things out: what it says of a codec is not what a listener or a current one hears.
    """
    if detail or device:
        raise UserError(
            f"--asr {kind} takes nothing more, found {detail or device!r}: its model lies in "
            "its package, and it runs on the CPU"
        )
    check_installed({f"--asr {kind}": ["pocketsphinx"]})

    def load() -> Any:
        from pocketsphinx import Decoder

        return Decoder(samprate=RATE_HZ, cmn="batch", loglevel="FATAL")

    def hear(self: Recogniser, audio: Audio, language: str) -> str:
        _code_in([ENGLISH], language, kind)
        # What the decoder learnt of the last signal's level would change what it hears in this one.
        self.model.reinit_feat()
        full_scale = np.clip(audio.samples[0], -1.0, 1.0) * 32_767
        self.model.start_utt()
        self.model.process_raw(np.rint(full_scale).astype("<i2").tobytes(), full_utt=True)
        self.model.end_utt()
        found = self.model.hyp()
        return found.hypstr if found else ""

    revision = f"package {version('pocketsphinx')} with its own en-us model"
    return Recogniser(kind, lambda: revision, load, hear)


def faster_whisper(kind: str, detail: str, device: str, _: MetricOptions) -> Recogniser:
    """Whisper from a folder in CTranslate2's format: a beam of 5, nothing drawn at random."""
    if not detail or device not in ("", "cpu", "cuda"):
        raise UserError(
            f"--asr {kind} needs the folder of a model in CTranslate2's format; write "
            f"{kind}:FOLDER or {kind}@cuda:FOLDER"
        )
    folder = Path(detail).expanduser().resolve()
    if not (folder / _WEIGHTS).is_file():
        raise UserError(
            f"--asr {kind}:{detail}: there is no {_WEIGHTS} in it; name the folder of a "
            "whisper model in CTranslate2's format"
        )
    check_installed({f"--asr {kind}": ["faster_whisper"]})

    def tell() -> str:
        digest = sha256_of_file(folder / _WEIGHTS)
        return f"package {version('faster-whisper')}, {_WEIGHTS} sha256 {digest[:_SHOWN_DIGITS]}"

    def load() -> Any:
        from faster_whisper import WhisperModel

        how = {"compute_type": "float32", "cpu_threads": 1, "local_files_only": True}
        return WhisperModel(str(folder), device=device or "cpu", **how)

    def hear(self: Recogniser, audio: Audio, language: str) -> str:
        # Temperature 0 alone: the package would otherwise try again with random draws.
        segments, _ = self.model.transcribe(
            audio.samples[0],
            language=_code_in(self.model.supported_languages, language, self.name), beam_size=5,
            temperature=0.0, condition_on_previous_text=False, without_timestamps=True,
        )  # fmt: skip
        return " ".join(segment.text.strip() for segment in segments)

    # Nobody but the folder's name knows which size of model it is.
    return Recogniser(f"faster-whisper {folder.name}", tell, load, hear)


@dataclass(frozen=True)
class _Published:
    """A model of the hub at a pinned commit, and what it takes at once.

    With `options` it writes text in any language that it knows; else it spells English.
    """

    model: MetricModel
    most_s: float = float("inf")
    options: Mapping[str, Any] = field(default_factory=dict)


def _of_the_hub(name: str, repository: str, commit: str, weights: str, *more: str) -> MetricModel:
    tokens = ("special_tokens_map.json", "tokenizer_config.json", "vocab.json")
    names = ("config.json", "preprocessor_config.json", *tokens, *more, weights)
    source = WeightsSource("hub", repository, tuple(HostedFile(n, n) for n in names), commit)
    return MetricModel(name, source, "Apache-2.0", ("transformers",))


_MODELS = (
    # Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022. Greedy
    # search, without timestamps.
    _Published(_of_the_hub(
        "whisper-large-v3", "openai/whisper-large-v3", "06f233fe06e710322aca913c1bc4249a0d71fce1",
        "model.safetensors",
        "added_tokens.json", "generation_config.json", "merges.txt", "tokenizer.json",
    ), 30.0, {"task": "transcribe", "num_beams": 1, "do_sample": False}),
    # Hsu et al., "HuBERT", IEEE/ACM TASLP 29, 2021. The likeliest letter each 20 ms, without a
    # language model, so that it spells what it hears. The commit holds no other form of weights.
    _Published(_of_the_hub(
        "hubert-large", "facebook/hubert-large-ls960-ft",
        "ece5fabbf034c1073acae96d5401b25be96709d8", "pytorch_model.bin",
    )),
    # Baevski, Zhou, Mohamed, Auli: "wav2vec 2.0", NeurIPS 2020. As HuBERT, and smaller.
    _Published(_of_the_hub(
        "wav2vec2", "facebook/wav2vec2-base-960h", "22aad52d435eb6dbaf354bdad9b0da84ce7d6156",
        "model.safetensors",
    )),
)  # fmt: skip
PUBLISHED = {published.model.name: published for published in _MODELS}


def of_the_hub(kind: str, detail: str, device: str, options: MetricOptions) -> Recogniser:
    """Published recognisers, run by the package ``transformers``.

    For publication: anyone can fetch the same weights by the same name and commit.
    """
    if detail or device not in ("", "cpu", "cuda"):
        raise UserError(
            f"--asr {kind} can be followed by @cpu or @cuda alone, found {detail or device!r}: "
            f"its model is the published one; a copy is named by --weights {kind}=DIR"
        )
    check_installed({f"--asr {kind}": ["transformers"]})
    published, device = PUBLISHED[kind], device or "cpu"
    found = located(published.model, options)
    origin = f"{found.info.origin} at {found.info.revision}"
    if found.info.source == "folder":  # of which only the weights tell what they are
        name, digest = list(found.info.sha256.items())[-1]
        origin = f"a folder with {name} sha256 {digest[:_SHOWN_DIGITS]}"

    def load() -> Any:
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        with TemporaryDirectory() as together:  # files may lie in several caches
            for name, path in found.files.items():
                (Path(together) / name).symlink_to(path.resolve())
            return transformers.pipeline(
                "automatic-speech-recognition", together, device=device, dtype=torch.float32
            )

    def hear(self: Recogniser, audio: Audio, language: str) -> str:
        if audio.duration_s > published.most_s:
            raise Undefined(
                f"too long: {kind} takes {published.most_s:g} s at once, the signal lasts "
                f"{audio.duration_s:.3f} s; score it in segments"
            )
        heard = {"raw": audio.samples[0], "sampling_rate": audio.rate_hz}
        if not published.options:
            _code_in([ENGLISH], language, kind)
            return str(self.model(heard)["text"])
        known = (c.strip("<|>") for c in self.model.model.generation_config.lang_to_id)
        how = {"language": _code_in(known, language, kind), **published.options}
        return str(self.model(heard, generate_kwargs=how)["text"])

    revision = f"{origin}, transformers {version('transformers')}, {device}"
    return Recogniser(kind, lambda: revision, load, hear)


def models_of(options: MetricOptions) -> tuple[str, ...]:
    """Name of the published model that the recogniser of some options runs, if it runs one."""
    kind = (options.asr or asr_selector()).partition("@")[0]
    return (kind,) if kind in PUBLISHED else ()


# From kind, what stands behind it, device, and a run's options, to a recogniser.
MAKERS: dict[str, Callable[[str, str, str, MetricOptions], Recogniser]] = {
    "pocketsphinx": pocketsphinx,
    "faster-whisper": faster_whisper,
    **dict.fromkeys(PUBLISHED, of_the_hub),
}
