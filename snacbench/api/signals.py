"""Single signals: scored by metrics, sent through one codec, written as what a codec sends."""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from snacbench.api.run import normal, score_files
from snacbench.audio.io import read, write_flac, write_wav
from snacbench.bitstream import container
from snacbench.errors import BitstreamError, CodecError, UnknownName, UserError, did_you_mean
from snacbench.later import pd, soundfile
from snacbench.plugins import select_metrics
from snacbench.progress import Progress
from snacbench.rate.coding.coders import CODERS, coder_named
from snacbench.rate.coding.trained import read_tables
from snacbench.request import Channels, Request
from snacbench.rows import Cost
from snacbench.runner import contract
from snacbench.runner.bitstreams import bitstream_of, codec_meant, codec_of, decode_bitstream
from snacbench.runner.loading import LoadedCodec
from snacbench.runner.plan import check_packages, check_weight_names, locate_all, plan_codecs
from snacbench.runner.signal_rules import codec_inputs, decoded_signal, for_metric, source_signal
from snacbench.runner.versions import make_ready
from snacbench.testsets.spoken import language_code
from snacbench.types import Audio, CodecSpec, Encoded, Metric, MetricOptions, MetricSpec

Signal = Audio | str | Path | ArrayLike
_WRITERS = {".wav": write_wav, ".flac": write_flac}


def audio_of(signal: Signal, rate_hz: int | None = None, *, called: str = "signal") -> Audio:
    """A signal as `Audio`: read from a file, or an array of shape (time,) or (channels, time).

    Raises `UserError` if an array comes without its rate, or has another shape or type; `ClipError`
    if a file cannot be read.
    """
    if isinstance(signal, Audio):
        return signal
    if isinstance(signal, str | Path):
        return read(Path(signal))
    samples = np.asarray(signal)
    if rate_hz is None:
        raise UserError(f"the {called} is an array: say its sampling rate with rate_hz")
    if not (np.issubdtype(samples.dtype, np.floating) and samples.ndim in (1, 2) and samples.size):
        raise UserError(
            f"the {called} is an array of {samples.dtype} and shape {samples.shape}; expected "
            "floating point from -1 to 1 and (time,) or (channels, time)"
        )
    return Audio(np.ascontiguousarray(np.atleast_2d(samples), dtype=np.float32), int(rate_hz))


def score(
    reference: Signal,
    degraded: Signal,
    metrics: str | Sequence[str] = (),
    *,
    rate_hz: int | None = None,
    **asked: Any,
) -> "pd.DataFrame":
    """Score one signal, or every file of a folder, against its reference as a run would.

    `reference` and `degraded` are two files, two folders whose files match by name, or arrays of
    shape (time,) or (channels, time) at `rate_hz`, which may have different lengths. No `metrics`:
    the default set. `asked` is what `score_files` takes: ``name`` (of the codec in the frame),
    ``align``, ``domain``, ``asr``, ``weights``, ``jobs``; no ``out``, as no run is kept. The frame
    has the columns of `Run.scores`; ``reason`` says why a value is missing.
    """
    if "out" in asked:
        raise UserError("score keeps no run, so it takes no out; score_files makes one")
    with tempfile.TemporaryDirectory() as place:
        paths = []
        for called, signal in (("reference", reference), ("degraded", degraded)):
            if isinstance(signal, str | Path):
                paths.append(Path(signal))
                continue
            audio = audio_of(signal, rate_hz, called=called)
            paths.append(Path(place) / f"{called}.wav")
            soundfile.write(paths[-1], audio.samples.T, audio.rate_hz, subtype="FLOAT")
        asked = {"name": "degraded", **asked, **normal({"metrics": metrics})}
        if of_sets := [m.spec.name for m in select_metrics(asked["metrics"]) if m.embed]:
            raise UserError(
                f"{', '.join(of_sets)} gives clips no score, but a codec one figure for all of "
                "them: score_files(...).summary() has it"
            )
        return score_files(paths[0], paths[1], Path(place) / "run", **asked).scores


class OpenMetric:
    """One metric; called with a pair of signals it gives a number; `spec` tells of which unit."""

    def __init__(self, found: Metric) -> None:
        self.spec: MetricSpec = found.spec
        self._metric = found

    def __call__(
        self,
        *,
        reference: Signal,
        degraded: Signal,
        rate_hz: int | None = None,
        transcript: str | None = None,
        language: str = "",
    ) -> float:
        """Score one pair, brought to the metric's rate and channels; see `spec` for the unit.

        Neither a delay nor a difference in length is mended: `score` does both as a run does.
        Metrics of words take the transcript and the code of its `language`, else English. Raises
        `Undefined` with the reason if it has no value here, `UserError` if `language` is no code.
        """
        try:
            code = language_code(language)
        except ValueError as error:
            raise UserError(f"language {language!r}: {error}") from error
        x, y = (
            for_metric(source_signal(audio_of(signal, rate_hz, called=called), "mono"), self.spec)
            for called, signal in (("reference", reference), ("degraded", degraded))
        )
        return self._metric(reference=x, degraded=y, transcript=transcript, language=code)


def metric(
    name: str, *, asr: str = "", weights: str | Sequence[str] = (), offline: bool = False
) -> OpenMetric:
    """A metric by name; `weights` say where files of its model are: ``"utmos22-strong=DIR"``."""
    rules = normal({"weights": weights})["weights"]
    check_weight_names(rules)
    (found,) = select_metrics([name])
    found = found.configured(MetricOptions(asr, rules, offline))
    make_ready([found])
    return OpenMetric(found)


class OpenCodec:
    """A codec at one operating point, loaded; `spec` tells of its rates, weights and licence."""

    def __init__(self, loaded: LoadedCodec) -> None:
        self._loaded = loaded
        self.spec: CodecSpec = loaded.planned.spec

    def encode(self, signal: Signal, *, rate_hz: int | None = None) -> list[Encoded]:
        """Code a signal, brought to the codec's rate; one part, or one for each channel."""
        inputs, _ = codec_inputs(audio_of(signal, rate_hz), self.spec)
        return self._loaded.encode(inputs)

    def decode(self, parts: Sequence[Encoded], *, seed: int = 0) -> Audio:
        """Decode what `encode` gave, at the codec's rate; stochastic decoders draw by `seed`."""
        decoded = self._loaded.decode(parts, seed=seed)
        return decoded_signal(decoded, len(parts) if len(parts) > 1 else decoded[0].channels)

    def cost(self) -> Cost:
        """Its multiply-accumulates and parameters by part, peak memory, and measured delay."""
        from snacbench.runner.measured_cost import cost_of

        return cost_of(self._loaded)

    def roundtrip(self, signal: Signal, *, rate_hz: int | None = None, seed: int = 0) -> Audio:
        """Code and decode a signal; the decode is at the codec's rate."""
        return self.decode(self.encode(signal, rate_hz=rate_hz), seed=seed)


def codec(
    selector: str,
    *,
    weights: str | Sequence[str] = "auto",
    offline: bool = False,
    progress: Progress | None = None,
) -> OpenCodec:
    """Load a codec at one operating point, for example ``"dac-44khz@2.67"``, on the CPU."""
    rules = normal({"weights": weights})["weights"]
    return OpenCodec(codec_meant(selector, rules, progress, offline=offline))


def check_codec(
    selector: str,
    *,
    weights: str | Sequence[str] = "auto",
    offline: bool = False,
    progress: Progress | None = None,
) -> list[contract.Finding]:
    """What every selected operating point was checked for, for a codec's author.

    A finding has ``codec``, ``check`` and ``reason``, which is empty where the promise is kept.
    """
    rules = normal({"weights": weights})["weights"]
    codecs, policy, _ = plan_codecs(Request(codecs=selector, weights=rules, offline=offline))
    check_packages(codecs)
    located = locate_all(codecs, policy, progress)
    return [finding for one in located for finding in contract.check_codec(one)]


def encode(  # noqa: PLR0913 - keyword-only options of one verb
    source: Signal,
    target: str | Path,
    codec: str,
    *,
    rate_hz: int | None = None,
    coder: str = "packed",
    tables: str | Path | None = None,
    channels: Channels = "mono",
    seed: int = 0,
    weights: str | Sequence[str] = "auto",
    offline: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Code a signal into a ``.sncb`` file, which holds all that its decoder needs.

    Codes become bits by `coder`: ``packed`` (whole bits per index) or an entropy coder, perhaps
    with trained `tables`. `seed` is that of the decoder's random numbers, if it draws any.
    """
    writer = coder_named(coder, read_tables(Path(tables)) if tables else None)
    audio = source_signal(audio_of(source, rate_hz), channels)
    rules = normal({"weights": weights})["weights"]
    loaded = codec_meant(codec, rules, progress, offline=offline)
    inputs, mode = codec_inputs(audio, loaded.planned.spec)
    parts = loaded.encode(inputs)
    data = container.write(bitstream_of(loaded.planned.spec, audio, mode, parts, seed=seed), writer)
    container.save(Path(target), data)
    return Path(target)


def decode(  # noqa: PLR0913 - keyword-only options of one verb
    source: str | Path,
    target: str | Path | None = None,
    *,
    codec: str = "",
    tables: str | Path | None = None,
    weights: str | Sequence[str] = "auto",
    offline: bool = False,
    progress: Progress | None = None,
) -> Audio:
    """Decode a ``.sncb`` file, and write it to 24-bit WAV or FLAC if a `target` is named.

    Decoded on the machine that coded it, these are the very samples that a run scores. Raises
    `UserError` if the file is damaged, or was made with other weights than those at hand.
    """
    path = Path(source)
    if target is not None and Path(target).suffix.lower() not in _WRITERS:
        raise UserError(f"expected a name that ends in .wav or .flac, found {target}")
    data = container.load(path)
    rules = normal({"weights": weights})["weights"]
    try:
        header = container.parse(data).header
        loaded = codec_of(header, rules, progress, selector=codec, offline=offline)
        trained = read_tables(Path(tables)) if tables and header.tables_sha256 else None
        audio = decode_bitstream(container.read(data, trained), loaded)
    except (BitstreamError, CodecError) as error:
        raise type(error)(f"{path}: {error}") from error
    if target is not None:
        _WRITERS[Path(target).suffix.lower()](Path(target), audio)
    return audio


def names(kind: str) -> list[str]:
    """Names of all codecs, families, metrics, sets, recipes, layouts, plots or coders there are."""
    from snacbench import plugins
    from snacbench.plots.drawing import plots
    from snacbench.recipes import shipped_recipes
    from snacbench.tables.layouts import layouts
    from snacbench.testsets import NAMED_SETS
    from snacbench.testsets.corpora import corpora

    known: dict[str, Callable[[], Iterable[str]]] = {
        "codecs": plugins.codec_models,
        "families": plugins.codec_families,
        "metrics": plugins.metrics,
        "sets": lambda: [*NAMED_SETS, *corpora()],
        "recipes": shipped_recipes,
        "layouts": layouts,
        "plots": plots,
        "coders": lambda: CODERS,
    }
    if kind not in known:
        raise UnknownName(f"no kind of name {kind!r}; {did_you_mean(kind, known)}")
    return list(known[kind]())
