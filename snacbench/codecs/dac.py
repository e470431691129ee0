"""DAC: residual vector quantisation with factorised codes (Kumar et al. 2023).

Whole files go through ``encode`` and ``decode``, never through the package's ``compress``, whose
overlapping one-second windows send more codes than the nominal rate and change the loudness.
The model's label is not its rate: "8kbps" at 24 kHz means 24 kbps at full depth.
"""

from __future__ import annotations

import inspect
import pickletools
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from snacbench.codecs import _batch as batches
from snacbench.codecs import _neural as neural
from snacbench.codecs import _own as own
from snacbench.codecs._checkpoint import Checkpoint, fitting, load_strictly, read_checkpoint
from snacbench.codecs._lookahead import convolutions, look_ahead_samples
from snacbench.errors import UserError, WeightsMismatch
from snacbench.models import (
    CodecFamily,
    CodecModel,
    CodecOpener,
    HostedFile,
    LocatedWeights,
    WeightsSource,
)
from snacbench.types import Audio, CodecSpec, Encoded, Stream, nominal_kbps_of
from snacbench.weights import embedded

if TYPE_CHECKING:
    import torch

_CODEBOOK_SIZE = 1024
_CITATION = (
    "Kumar, Seetharaman, Luebs, Kumar, Kumar: High-Fidelity Audio Compression with Improved "
    "RVQGAN, NeurIPS 2023, arXiv:2306.06546"
)


@dataclass(frozen=True)
class _Published:
    """Static facts of a published model.

    `latency_samples` is how far ahead an output sample depends on the input, at the worst place
    within a frame (see `_lookahead`): the model is not causal.
    """

    name: str
    rate_hz: int
    hop: int
    codebooks: int
    params_m: float | None
    latency_samples: int
    tag: str
    asset: str
    cached_as: str


_PUBLISHED = (
    _Published(
        "dac-44khz", 44_100, 512, 9, 76.7, 9_001,
        "0.0.1", "weights.pth", "weights_44khz_8kbps_0.0.1.pth",
    ),
    _Published(
        # Its parameter count is not known without the file: the latent width differs.
        "dac-44khz-16kbps", 44_100, 512, 18, None, 9_001,
        "1.0.0", "weights_44khz_16kbps.pth", "weights_44khz_16kbps_1.0.0.pth",
    ),
    _Published(
        "dac-24khz", 24_000, 320, 32, 74.7, 5_953,
        "0.0.4", "weights_24khz.pth", "weights_24khz_8kbps_0.0.4.pth",
    ),
    _Published(
        "dac-16khz", 16_000, 320, 12, 74.2, 5_953,
        "0.0.5", "weights_16khz.pth", "weights_16khz_8kbps_0.0.5.pth",
    ),
)  # fmt: skip


_MINI_LATENCY_SAMPLES = 5_953


def _points(
    base: CodecSpec, stream: Stream, codebooks: int, *, dropout: bool = True
) -> tuple[CodecSpec, ...]:
    """One operating point per number of codebooks; quantiser dropout trains all of them."""
    points = []
    for used in range(1, codebooks + 1):
        streams = (stream,) * used
        kbps = nominal_kbps_of(streams)
        points.append(
            replace(
                base,
                name=f"{base.model}@{kbps:.3g}kbps",
                streams=streams,
                nominal_kbps=kbps,
                settings={"codebooks": used},
                truncated=not dropout and used < codebooks,
            )
        )
    return tuple(points)


def _published_model(facts: _Published) -> CodecModel:
    base = CodecSpec(
        name=facts.name,
        model=facts.name,
        family="dac",
        rate_hz=facts.rate_hz,
        channels=(1,),
        latency_s=facts.latency_samples / facts.rate_hz,
        params_m=facts.params_m,
        licence="MIT",
        citation=_CITATION,
    )
    stream = Stream(Fraction(facts.rate_hz, facts.hop), _CODEBOOK_SIZE)
    points = _points(base, stream, facts.codebooks)
    release = f"descriptinc/descript-audio-codec/releases/download/{facts.tag}"
    source = WeightsSource(
        "github",
        "descriptinc/descript-audio-codec",
        (HostedFile(facts.cached_as, f"{release}/{facts.asset}", aliases=(facts.asset,)),),
        revision=facts.tag,
    )
    return neural.model_at_depths(points, _load, source, package="dac")


def _mini() -> CodecModel:
    config = embedded.config("dac-mini")
    model: Mapping[str, Any] = config["model"]
    base = CodecSpec(
        name="dac-mini",
        model="dac-mini",
        family="dac",
        rate_hz=config["sample_rate"],
        channels=(1,),
        latency_s=_MINI_LATENCY_SAMPLES / config["sample_rate"],
        params_m=embedded.params_m("dac-mini"),
        demonstration=True,
        licence=config["licence"],
        citation=_CITATION,
    )
    stream = Stream(Fraction(config["sample_rate"], config["hop"]), model["codebook_size"])
    points = _points(base, stream, model["n_codebooks"])
    return neural.embedded_model(points, _load, package="dac")


@dataclass(frozen=True)
class DacCodec(batches.Batched):
    """A loaded DAC model at one number of codebooks."""

    spec: CodecSpec
    model: Any
    device: torch.device

    def at(self, spec: CodecSpec) -> DacCodec:
        """The same network with another number of codebooks."""
        _check_arguments(spec, self.model, spec.model)
        return replace(self, spec=spec)

    def padded_length(self, num_samples: int) -> int:
        """Whole frames."""
        hop = int(self.model.hop_length)
        return -(-num_samples // hop) * hop

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        """Encode whole clips, padded to whole frames as the package's ``preprocess`` does."""
        import torch

        with torch.inference_mode():
            samples = batches.stacked(signals, self.device)
            batch = self.model.preprocess(samples, signals[0].rate_hz)
            codes = self.model.encode(batch, self.spec.settings["codebooks"])[1]
        return batches.encoded_of(signals, codes.unbind(dim=1))

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode; deterministic, so the seeds are not used."""
        import torch

        codes = torch.stack(batches.codes_of(encoded, self.device), dim=1)
        with torch.inference_mode():
            batch = self.model.decode(self.model.quantizer.from_codes(codes)[0])
        return batches.decoded_of(batch, encoded)


def _network() -> Any:
    """The package's network; what PyTorch thinks of how it is compiled is left unsaid."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated")
        from dac import DAC
    return DAC


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> DacCodec:
    found = _read(own.files_of(spec, weights))
    path = found.checkpoint.path
    model = neural.build(_network(), found.arguments, path)
    _check_arguments(spec, model, str(path))
    load_strictly(model, found.checkpoint.state, path)
    return DacCodec(spec, neural.prepare_for_inference(model, device), neural.ready_device(device))


@dataclass(frozen=True)
class _Saved:
    """What a model's files say: the constructor's arguments, the weights, and how they were found.

    `dropout` is the share of training items with quantiser dropout, None where nothing tells it.
    """

    arguments: Mapping[str, Any]
    checkpoint: Checkpoint
    dropout: float | None
    notes: tuple[str, ...]


def _read(files: Mapping[str, Path]) -> _Saved:
    """A model in the package's save format, or weights with a ``config.json`` beside them.

    Raises
    ------
    UserError
        If nothing tells the architecture.
    """
    known = list(inspect.signature(_network()).parameters)
    checkpoint = read_checkpoint(own.weights_of(files), "dac")
    configured = own.configuration(files, known)
    kwargs = checkpoint.metadata.get("kwargs")
    saved: dict[str, Any] = dict(kwargs) if isinstance(kwargs, Mapping) else {}
    arguments = {k: v for k, v in {**saved, **configured}.items() if k in known}
    if "sample_rate" not in arguments:
        raise UserError(
            f"{checkpoint.path} does not tell how its model is built: expected metadata.kwargs, as "
            "DAC.save(PATH, package=False) writes them, or a config.json beside it with the "
            f"arguments of dac.DAC ({', '.join(known)})"
        )
    notes = [*checkpoint.notes]
    if configured and saved:
        notes.append(f"{', '.join(sorted(configured))} from {own.CONFIG}")
    if left_out := sorted(saved.keys() - set(known)):
        notes.append(f"arguments that dac.DAC does not take left out: {', '.join(left_out)}")
    dropout, source = _dropout(arguments, checkpoint.path)
    notes.append(f"quantizer_dropout {source}")
    return _Saved(arguments, checkpoint, dropout, tuple(notes))


def _dropout(arguments: Mapping[str, Any], weights: Path) -> tuple[float | None, str]:
    """Quantiser dropout in training, and where that is written.

    ``DAC.save`` looks arguments up among the model's attributes, where this one is not, and so
    writes the constructor's default, False, whatever the model was trained with. The package
    that it writes beside the weights holds the true value.
    """
    value = arguments.get("quantizer_dropout")
    if isinstance(value, int | float) and value:
        return float(value), f"{value:g}"
    packaged = _dropout_in_package(weights.with_name("package.pth"))
    if packaged is not None:
        return packaged, f"{packaged:g} as in package.pth, which was read and not run"
    return None, (
        "unknown (DAC.save does not keep it), so lesser depths count as truncated; if it was "
        f'used, write {{"quantizer_dropout": 1.0}} to {own.CONFIG} beside the weights'
    )


def _dropout_in_package(path: Path) -> float | None:
    """The attribute in a ``torch.package``, read off its pickle without running it."""
    try:
        with ZipFile(path) as archive:
            (inside,) = (n for n in archive.namelist() if n.endswith("/DAC/DAC.pth"))
            pickled = archive.read(inside)
        operations = ((code.name, value) for code, value, _ in pickletools.genops(pickled))
        if any(value == "quantizer_dropout" for _, value in operations):
            # Between a name and its value, the pickle only remembers the name.
            name, value = next(o for o in operations if not o[0].endswith(("PUT", "MEMOIZE")))
            return {"NEWTRUE": 1.0, "NEWFALSE": 0.0}.get(name) or float(value or 0)
    except (OSError, BadZipFile, ValueError, TypeError, StopIteration):
        pass  # not there, or not as the package writes it: then nothing is known
    return None


def _open(path: Path, name: str) -> CodecModel:
    files = own.find(path, "dac")
    found = _read(files)
    weights = found.checkpoint.path
    model = neural.outline(_network(), found.arguments, weights)
    fitting(model, found.checkpoint.state, weights)
    name = own.name_of(weights, "dac", name)
    hop = int(model.hop_length)
    layers = [*convolutions(model.encoder), *convolutions(model.decoder)]
    base = CodecSpec(
        name=name,
        model=name,
        family="dac",
        rate_hz=int(model.sample_rate),
        channels=(1,),
        latency_s=look_ahead_samples(layers, hop) / model.sample_rate,
        params_m=found.checkpoint.params_m,
        licence=own.LICENCE,
        citation=_CITATION,
    )
    stream = Stream(Fraction(int(model.sample_rate), hop), int(model.codebook_size))
    points = _points(base, stream, int(model.n_codebooks), dropout=bool(found.dropout))
    return own.model_of(points, files, _load, package="dac", notes=found.notes)


def _check_arguments(spec: CodecSpec, model: Any, origin: str) -> None:
    """The spec is static; a file that disagrees would make every rate wrong."""
    frame_rate = Fraction(int(model.sample_rate), int(model.hop_length))
    used = spec.settings["codebooks"]
    if (
        model.sample_rate != spec.rate_hz
        or Stream(frame_rate, model.codebook_size) != spec.streams[0]
        or model.n_codebooks < used
    ):
        raise WeightsMismatch(
            f"{origin} describes {model.sample_rate} Hz, hop {model.hop_length}, "
            f"{model.n_codebooks} codebooks of {model.codebook_size}, which is not {spec.model}"
        )


MODELS = (*(_published_model(facts) for facts in _PUBLISHED), _mini())
FAMILY = CodecFamily("dac", published="dac-44khz@1.78,2.67,5.33,8", embedded="dac-mini@2q,3q,6q,9q")
OPENER = CodecOpener(
    "dac", _open, "a DAC: weights.pth as DAC.save writes it, its folder, or weights + config.json"
)
