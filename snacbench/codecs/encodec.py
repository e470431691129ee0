"""EnCodec: residual vector quantisation of a SEANet autoencoder (Défossez et al. 2022).

The 48 kHz model codes one-second segments that overlap by 1 % and sends a scale with each, so
its true code rate is the nominal one over 0.99, plus 32 bits per segment.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snacbench.codecs import _batch as batches
from snacbench.codecs import _neural as neural
from snacbench.codecs import _own as own
from snacbench.codecs._checkpoint import Checkpoint, fitting, load_strictly, read_checkpoint
from snacbench.codecs._lookahead import look_ahead_samples
from snacbench.codecs._seanet import (
    OPTIONAL,
    REQUIRED,
    Network,
    Shape,
    configured,
    layers_of,
    shape_of,
)
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

_CITATION = (
    "Défossez, Copet, Synnaeve, Adi: High Fidelity Neural Audio Compression, 2022, arXiv:2210.13438"
)
_SCALE = struct.Struct("<f")


@dataclass(frozen=True)
class _Facts:
    """Static facts of a model; `segment_s` is None where the whole clip is one segment."""

    name: str
    rate_hz: int
    channels: int
    hop: int
    codebook_size: int
    bandwidths_kbps: tuple[float, ...]
    params_m: float
    segment_s: float | None = None
    segment_advance: Fraction = Fraction(1)
    licence: str = "MIT"  # of the code; the weights are published beside it
    demonstration: bool = False

    def codebooks(self, kbps: float) -> int:
        """Codebooks that fit into a bandwidth, as the package counts them."""
        per_codebook = self.rate_hz / self.hop * (self.codebook_size.bit_length() - 1)
        return int(kbps * 1000 // per_codebook)


_24KHZ = _Facts("encodec-24khz", 24_000, 1, 320, 1024, (1.5, 3.0, 6.0, 12.0, 24.0), 19.0)
_48KHZ = _Facts(
    "encodec-48khz", 48_000, 2, 320, 1024, (3.0, 6.0, 12.0, 24.0), 17.0,
    segment_s=1.0, segment_advance=Fraction(47_520, 48_000),
)  # fmt: skip
# The authors put the leading digits into the names; all digits of the first are as several
# projects that use it state them.
_FILES = {
    "encodec-24khz": HostedFile(
        "encodec_24khz-d7cc33bc.th",
        "encodec/v0/encodec_24khz-d7cc33bc.th",
        "d7cc33bcf1aad7f2dad9836f36431530744abeace3ca033005e3290ed4fa47bf",
    ),
    "encodec-48khz": HostedFile(
        "encodec_48khz-7e698e3e.th", "encodec/v0/encodec_48khz-7e698e3e.th", "7e698e3e"
    ),
}


def _points(facts: _Facts) -> tuple[CodecSpec, ...]:
    frame_rate = Fraction(facts.rate_hz, facts.hop) / facts.segment_advance
    base = CodecSpec(
        name=facts.name,
        model=facts.name,
        family="encodec",
        rate_hz=facts.rate_hz,
        channels=(facts.channels,),
        # One frame for the causal model; the other waits for its segment to be complete.
        latency_s=facts.segment_s or facts.hop / facts.rate_hz,
        params_m=facts.params_m,
        licence=facts.licence,
        citation=_CITATION,
        demonstration=facts.demonstration,
    )
    return tuple(
        replace(
            base,
            name=f"{facts.name}@{kbps:g}kbps",
            streams=(Stream(frame_rate, facts.codebook_size),) * facts.codebooks(kbps),
            nominal_kbps=kbps,
            settings={"bandwidth_kbps": kbps},
        )
        for kbps in facts.bandwidths_kbps
    )


def _published_model(facts: _Facts) -> CodecModel:
    source = WeightsSource("cdn", "encodec", (_FILES[facts.name],), revision="v0")
    return neural.model_at_depths(_points(facts), _load, source, package="encodec")


def _mini() -> CodecModel:
    config = embedded.config("encodec-mini")
    facts = _Facts(
        "encodec-mini",
        config["sample_rate"],
        1,
        config["hop"],
        config["codebook_size"],
        tuple(config["model"]["target_bandwidths"]),
        embedded.params_m("encodec-mini"),
        licence=config["licence"],
        demonstration=True,
    )
    return neural.embedded_model(_points(facts), _load, package="encodec")


@dataclass(frozen=True)
class EncodecCodec(batches.Batched):
    """A loaded EnCodec model at one bandwidth."""

    spec: CodecSpec
    model: Any
    device: torch.device

    def at(self, spec: CodecSpec) -> EncodecCodec:
        """The same network at another bandwidth."""
        _check_network(spec, self.model, spec.model)
        return replace(self, spec=spec)

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        """Encode segment by segment; the scales of the 48 kHz model are side information."""
        import torch

        self.model.set_target_bandwidth(self.spec.settings["bandwidth_kbps"])
        with torch.inference_mode():
            segments = self.model.encode(batches.stacked(signals, self.device))
            codes = torch.cat([codes for codes, _ in segments], dim=-1)
        scales = [scale.float().flatten().tolist() for _, scale in segments if scale is not None]
        of_signals = zip(*scales, strict=True)
        side_info = [b"".join(map(_SCALE.pack, values)) for values in of_signals]
        return batches.encoded_of(signals, codes.unbind(dim=1), side_info)

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode signals of equal length; deterministic, so the seeds are not used."""
        import torch

        codes = torch.stack(batches.codes_of(encoded, self.device), dim=1)
        parts = torch.split(codes, self._frames_per_segment(encoded[0].num_samples), dim=-1)
        values = [[v for (v,) in _SCALE.iter_unpack(one.side_info)] for one in encoded]
        scales = [scale[:, None] for scale in torch.tensor(values, device=self.device).T]
        with torch.inference_mode():
            batch = self.model.decode(list(zip_longest(parts, scales)))
        return batches.decoded_of(batch, encoded)

    def _frames_per_segment(self, num_samples: int) -> list[int]:
        """How the frames of a clip divide into segments; follows from the length alone."""
        hop = int(np.prod(self.model.encoder.ratios))
        length = self.model.segment_length or num_samples
        starts = range(0, num_samples, self.model.segment_stride or num_samples)
        return [-(-min(length, num_samples - start) // hop) for start in starts]


# What the authors' constructors ``encodec_model_24khz`` and ``encodec_model_48khz`` build.
_PUBLISHED = {
    "encodec-24khz": Network(
        Shape(1, 32, 128, (8, 5, 4, 2), 32, 1024, "weight_norm"),
        24_000, causal=True, normalize=False, segment=None,
        target_bandwidths=_24KHZ.bandwidths_kbps,
    ),
    "encodec-48khz": Network(
        Shape(2, 32, 128, (8, 5, 4, 2), 16, 1024, "time_group_norm"),
        48_000, causal=False, normalize=True, segment=1.0,
        target_bandwidths=_48KHZ.bandwidths_kbps,
    ),
}  # fmt: skip


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> EncodecCodec:
    network, checkpoint, _ = _read(own.files_of(spec, weights))
    model = neural.build(network.build, {}, checkpoint.path)
    _check_network(spec, model, checkpoint.path)
    load_strictly(model, checkpoint.state, checkpoint.path)
    return EncodecCodec(
        spec, neural.prepare_for_inference(model, device), neural.ready_device(device)
    )


def _read(files: Mapping[str, Path]) -> tuple[Network, Checkpoint, tuple[str, ...]]:
    """The network that a model's files describe, its weights, and how that was found.

    Raises
    ------
    UserError
        If the files do not tell what shapes cannot.
    """
    checkpoint = read_checkpoint(own.weights_of(files), "encodec")
    shape = shape_of(checkpoint)
    config = own.whole_configuration(files)
    if config:
        return configured(shape, config, files[own.CONFIG]), checkpoint, checkpoint.notes
    for name, network in _PUBLISHED.items():
        if network.shape == shape:
            note = f"no {own.CONFIG}; its shapes are those of {name}, whose rate and mode it gets"
            return network, checkpoint, (*checkpoint.notes, note)
    raise UserError(
        f"{checkpoint.path}: the shapes are those of no published EnCodec ({shape}), and they "
        f"cannot tell the rest; write a {own.CONFIG} beside it with {', '.join(REQUIRED)} and, "
        f"if need be, {', '.join(OPTIONAL)}"
    )


def _check_network(spec: CodecSpec, model: Any, origin: Path | str) -> None:
    """The spec is static; a file that disagrees would make every rate wrong."""
    stream = _stream(model)
    if (
        model.sample_rate != spec.rate_hz
        or (model.channels,) != spec.channels
        or set(spec.streams) != {stream}
        or spec.settings["bandwidth_kbps"] not in model.target_bandwidths
    ):
        raise WeightsMismatch(
            f"{origin} describes {model.sample_rate} Hz, {model.channels} channels, "
            f"{float(stream.frame_rate_hz):.6g} frames per second of {stream.codebook_size} "
            f"entries, bandwidths {list(model.target_bandwidths)}, which is not {spec.model}"
        )


def _stream(model: Any) -> Stream:
    """One codebook's codes per second; segments that overlap send some of them twice."""
    frame_rate = Fraction(model.sample_rate, math.prod(model.encoder.ratios))
    if model.segment_length:
        frame_rate /= Fraction(model.segment_stride, model.segment_length)
    return Stream(frame_rate, model.quantizer.bins)


def _open(path: Path, name: str) -> CodecModel:
    files = own.find(path, "encodec")
    network, checkpoint, notes = _read(files)
    model = neural.outline(network.build, {}, checkpoint.path)
    fitting(model, checkpoint.state, checkpoint.path)
    name = own.name_of(checkpoint.path, "encodec", name)
    if not network.target_bandwidths:
        notes = (*notes, "no target_bandwidths, so all codebooks are its one operating point")
    base = CodecSpec(
        name=name,
        model=name,
        family="encodec",
        rate_hz=model.sample_rate,
        channels=(model.channels,),
        latency_s=_latency_s(network, model),
        params_m=checkpoint.params_m,
        licence=own.LICENCE,
        citation=_CITATION,
    )
    return own.model_of(
        _own_points(base, network, _stream(model)), files, _load, package="encodec", notes=notes
    )


def _own_points(base: CodecSpec, network: Network, stream: Stream) -> list[CodecSpec]:
    """A point per bandwidth, under its true rate: the label may promise more than is sent."""
    points: dict[int, CodecSpec] = {}
    once = Stream(
        Fraction(network.sample_rate, math.prod(network.shape.ratios)), stream.codebook_size
    )
    for kbps in sorted(network.bandwidths_kbps):
        used = network.codebooks(kbps)
        nominal_kbps = nominal_kbps_of((once,) * used)
        points.setdefault(
            used,
            replace(
                base,
                name=f"{base.model}@{nominal_kbps:.4g}kbps",
                streams=(stream,) * used,
                nominal_kbps=nominal_kbps,
                settings={"bandwidth_kbps": kbps},
            ),
        )
    return list(points.values())


def _latency_s(network: Network, model: Any) -> float | None:
    """A segment, or a frame of a causal model, or the look-ahead of one that is not."""
    if network.segment is not None:
        return network.segment
    if network.normalize or model.encoder.model[0].conv.norm_type == "time_group_norm":
        return None
    hop = math.prod(network.shape.ratios)
    layers = [*layers_of(model.encoder), *layers_of(model.decoder)]
    return max(hop, look_ahead_samples(layers, hop)) / network.sample_rate


MODELS = (_published_model(_24KHZ), _published_model(_48KHZ), _mini())
FAMILY = CodecFamily(
    "encodec", published="encodec-24khz@1.5,3,6,12,24", embedded="encodec-mini@1.5,3,6,12"
)
OPENER = CodecOpener(
    "encodec", _open, "an EnCodec: a .th of the published shapes, or weights + config.json"
)
