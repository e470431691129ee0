"""DAC: residual vector quantisation with factorised codes (Kumar et al. 2023).

Whole files go through ``encode`` and ``decode``, never through the package's ``compress``, whose
overlapping one-second windows send more codes than the nominal rate and change the loudness.
The model's label is not its rate: "8kbps" at 24 kHz means 24 kbps at full depth.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snacbench.codecs import _checkpoint as own
from snacbench.codecs import _neural as neural
from snacbench.codecs._checkpoint import Checkpoint, fitting, load_strictly, read_checkpoint
from snacbench.codecs._neural import convolutions, look_ahead_samples
from snacbench.errors import WeightsMismatch
from snacbench.models import (
    CodecFamily,
    CodecModel,
    CodecOpener,
    HostedFile,
    LocatedWeights,
    WeightsSource,
)
from snacbench.types import Audio, CodecSpec, Encoded, Stream
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
    within a frame (see `_neural`): the model is not causal.
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
    name: str,
    rate_hz: int,
    streams: Sequence[Stream],
    latency_samples: int,
    *,
    dropout: bool = True,
    **facts: Any,
) -> tuple[CodecSpec, ...]:
    """One operating point per number of codebooks; quantiser dropout trains all of them."""
    base = CodecSpec(
        name=name,
        model=name,
        family="dac",
        rate_hz=rate_hz,
        channels=(1,),
        latency_s=latency_samples / rate_hz,
        citation=_CITATION,
        **facts,
    )
    trained_from = 1 if dropout else len(streams)
    return neural.points_at_depths(base, streams, "codebooks", trained_from=trained_from)


def _published_model(facts: _Published) -> CodecModel:
    streams = (Stream(Fraction(facts.rate_hz, facts.hop), _CODEBOOK_SIZE),) * facts.codebooks
    points = _points(
        facts.name,
        facts.rate_hz,
        streams,
        facts.latency_samples,
        params_m=facts.params_m,
        licence="MIT",
    )
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
    rate_hz, model = config["sample_rate"], config["model"]
    stream = Stream(Fraction(rate_hz, config["hop"]), model["codebook_size"])
    points = _points(
        "dac-mini",
        rate_hz,
        (stream,) * model["n_codebooks"],
        _MINI_LATENCY_SAMPLES,
        params_m=embedded.params_m("dac-mini"),
        demonstration=True,
        licence=config["licence"],
    )
    return neural.embedded_model(points, _load, package="dac")


@dataclass(frozen=True)
class DacCodec(neural.Batched):
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
            samples = neural.stacked(signals, self.device)
            batch = self.model.preprocess(samples, signals[0].rate_hz)
            codes = self.model.encode(batch, self.spec.settings["codebooks"])[1]
        return neural.encoded_of(signals, codes.unbind(dim=1))

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode; deterministic, so the seeds are not used."""
        import torch

        codes = torch.stack(neural.codes_of(encoded, self.device), dim=1)
        with torch.inference_mode():
            batch = self.model.decode(self.model.quantizer.from_codes(codes)[0])
        return neural.decoded_of(batch, encoded)


def _network() -> Any:
    """The package's network; what PyTorch thinks of how it is compiled is left unsaid."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated")
        from dac import DAC
    return DAC


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> DacCodec:
    arguments, checkpoint, _ = _read(own.files_of(spec, weights))
    path = checkpoint.path
    model = neural.build(_network(), arguments, path)
    _check_arguments(spec, model, str(path))
    load_strictly(model, checkpoint.state, path)
    return DacCodec(spec, neural.prepare_for_inference(model, device), neural.ready_device(device))


def _read(files: Mapping[str, Path]) -> tuple[dict[str, Any], Checkpoint, list[str]]:
    """The constructor's arguments, the weights, and notes on where the arguments come from.

    They stand in the package's save format, in a ``config.json`` beside the weights, or in both.

    Raises
    ------
    UserError
        If nothing tells the architecture.
    """
    known = list(inspect.signature(_network()).parameters)
    checkpoint, configured = read_checkpoint(own.weights_of(files)), own.configuration(files)
    kwargs = checkpoint.metadata.get("kwargs")
    saved: dict[str, Any] = dict(kwargs) if isinstance(kwargs, Mapping) else {}
    arguments = {**{k: v for k, v in saved.items() if k in known}, **configured}
    own.check_arguments(files, arguments, known=known, needed="sample_rate")
    notes = []
    if configured and saved:
        notes.append(f"{', '.join(sorted(configured))} from {own.CONFIG}")
    if left_out := sorted(saved.keys() - set(known)):
        notes.append(f"arguments that dac.DAC does not take left out: {', '.join(left_out)}")
    if not arguments.get("quantizer_dropout"):  # DAC.save writes False, whatever it was
        notes.append(
            "quantizer_dropout unknown (DAC.save does not keep it), so lesser depths count as "
            f'truncated; if it was used, write {{"quantizer_dropout": 1.0}} to {own.CONFIG} beside '
            "the weights"
        )
    return arguments, checkpoint, notes


def _open(path: Path, name: str) -> CodecModel:
    files = own.find(path, "dac")
    arguments, checkpoint, notes = _read(files)
    weights = checkpoint.path
    model = neural.outline(_network(), arguments, weights)
    fitting(model, checkpoint.state, weights)
    name = own.name_of(weights, "dac", name)
    hop = int(model.hop_length)
    stream = Stream(Fraction(int(model.sample_rate), hop), int(model.codebook_size))
    points = _points(
        name,
        int(model.sample_rate),
        (stream,) * int(model.n_codebooks),
        look_ahead_samples([*convolutions(model.encoder), *convolutions(model.decoder)], hop),
        dropout=bool(arguments.get("quantizer_dropout")),
        params_m=checkpoint.params_m,
        licence=own.LICENCE,
    )
    return own.model_of(points, files, _load, package="dac", notes=notes)


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
