"""EnCodec: residual vector quantisation of a SEANet autoencoder (Défossez et al. 2022).

The 48 kHz model codes one-second segments that overlap by 1 % and sends a scale with each, so
its true code rate is the nominal one over 0.99, plus 32 bits per segment.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import zip_longest
from typing import Any

from snacbench.codecs import _neural as neural
from snacbench.codecs._checkpoint import CONFIG, Checkpoint, fitting
from snacbench.codecs._neural import Shape, Told
from snacbench.errors import CodecError, UserError, WeightsMismatch
from snacbench.later import torch
from snacbench.models import CodecFamily, CodecModel, CodecOpener, HostedFile, WeightsSource
from snacbench.types import CodecSpec, Encoded, Stream, nominal_kbps_of
from snacbench.weights import embedded

_SCALE = struct.Struct("<f")
# What may stand in a configuration: arguments of the package's classes. `encoder` are those of both
# halves of the autoencoder, `decoder` what differs in the second.
_NEEDED = "sample_rate target_bandwidths encoder quantizer"
_KNOWN = (*_NEEDED.split(), "decoder", "normalize", "segment", "overlap")
# What the authors' constructors ``encodec_model_24khz`` and ``encodec_model_48khz`` build.
_PUBLISHED: dict[str, dict[str, Any]] = {
    "encodec-24khz": {
        "sample_rate": 24_000, "target_bandwidths": [1.5, 3.0, 6.0, 12.0, 24.0],
        "encoder": {"norm": "weight_norm", "causal": True},
        "quantizer": {"dimension": 128, "n_q": 32, "bins": 1024},
    },
    "encodec-48khz": {
        "sample_rate": 48_000, "target_bandwidths": [3.0, 6.0, 12.0, 24.0],
        "encoder": {"channels": 2, "norm": "time_group_norm", "causal": False},
        "quantizer": {"dimension": 128, "n_q": 16, "bins": 1024},
        "normalize": True, "segment": 1.0,
    },
}  # fmt: skip
# The authors put the leading digits into the names; all digits of the first are as several
# projects that use it state them.
_SHA256 = {
    "encodec_24khz-d7cc33bc.th": "d7cc33bcf1aad7f2dad9836f36431530744abeace3ca033005e3290ed4fa47bf"
}


class EncodecCodec(neural.PackageCodec):
    """A loaded EnCodec model at one bandwidth."""

    FAMILY = "encodec"
    CITATION = (
        "Défossez, Copet, Synnaeve, Adi: High Fidelity Neural Audio Compression, 2022, "
        "arXiv:2210.13438"
    )

    @classmethod
    def bandwidths(
        cls, name: str, shape: Shape, hop: int, kbps: Sequence[float], **facts: Any
    ) -> list[CodecSpec]:
        """A point per bandwidth, under its true rate: the label may promise more than is sent."""
        if not kbps:
            raise ValueError("target_bandwidths is empty")
        by_depth, points = cls.points(name, shape, **facts), dict[int, CodecSpec]()
        size = shape.streams[0].codebook_size
        per_codebook = math.log2(size) * math.ceil(shape.rate_hz / hop) / 1000
        for label in sorted(kbps):
            used = max(1, min(len(by_depth), int(label // per_codebook)))  # as the package counts
            # But for what overlaps.
            nominal_kbps = nominal_kbps_of((Stream(Fraction(shape.rate_hz, hop), size),) * used)
            point = replace(
                by_depth[used - 1],
                name=f"{name}@{nominal_kbps:.4g}kbps",
                nominal_kbps=nominal_kbps,
                settings={"bandwidth_kbps": label},
            )
            points.setdefault(used, point)
        return [*points.values()]

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> tuple[Told, list[str]]:
        """Weights without a ``config.json`` are those of a published network, if they fit one."""
        told = checkpoint.configuration(beside=("sample_rate",))
        if told:
            checkpoint.check_arguments(told, known=_KNOWN, needed=_NEEDED)
            return told, []
        for name, published in _PUBLISHED.items():
            try:
                outline = neural.outline(cls.build, published, checkpoint.path)
                fitting(outline, checkpoint.state, checkpoint.path)
            except WeightsMismatch:
                continue
            note = f"no {CONFIG}; it fits {name}, whose rate and mode it gets"
            return published, [note]
        raise UserError(
            f"{checkpoint.path} fits no published EnCodec, and has no {CONFIG} beside "
            f"it: expected a JSON object of {', '.join(_KNOWN)}"
        )

    @staticmethod
    def build(**arguments: Any) -> Any:
        """The package's model of encoder, decoder and quantiser."""
        from encodec import EncodecModel
        from encodec.modules import SEANetDecoder, SEANetEncoder
        from encodec.quantization import ResidualVectorQuantizer

        rest = dict(arguments)
        encoder, decoder = rest.pop("encoder"), rest.pop("decoder", None) or {}
        return EncodecModel(
            SEANetEncoder(**encoder), SEANetDecoder(**{**encoder, **decoder}),
            ResidualVectorQuantizer(**rest.pop("quantizer")), list(rest.pop("target_bandwidths")),
            channels=encoder.get("channels", 1), **rest,
        )  # fmt: skip

    @staticmethod
    def shape_of(network: Any) -> Shape:
        """Segments that overlap send some codes twice."""
        rate_hz = int(network.sample_rate)
        frame_rate = Fraction(rate_hz, math.prod(network.encoder.ratios))
        if network.segment_length:
            frame_rate /= Fraction(network.segment_stride, network.segment_length)
        quantizer = network.quantizer
        streams = (Stream(frame_rate, quantizer.bins),) * quantizer.n_q
        return Shape(rate_hz, streams, network.channels)

    @classmethod
    def points_of(cls, name: str, network: Any, told: Told, **facts: Any) -> list[CodecSpec]:
        """Its bandwidths; what codes segments waits for one to be complete."""
        shape, hop = cls.shape_of(network), math.prod(network.encoder.ratios)
        waits = None if network.segment is None else round(network.segment * shape.rate_hz)
        facts["latency_samples"] = waits
        return cls.bandwidths(name, shape, hop, network.target_bandwidths, **facts)

    @property
    def block_samples(self) -> int:
        """Segments begin anew."""
        return int(self.model.segment_stride or super().block_samples)

    def quantise(self, batch: Any) -> neural.Quantised:
        """Codes of segment after segment; the scales of the 48 kHz model are side information."""
        self.model.set_target_bandwidth(self.spec.settings["bandwidth_kbps"])
        segments = self.model.encode(batch)
        codes = torch.cat([codes for codes, _ in segments], dim=-1)
        scales = [scale.float().flatten().tolist() for _, scale in segments if scale is not None]
        side_info = [b"".join(map(_SCALE.pack, values)) for values in zip(*scales, strict=True)]
        return codes.unbind(dim=1), side_info

    def synthesise(self, codes: Any, encoded: Sequence[Encoded], seeds: Sequence[int]) -> Any:
        """Decode signals of equal length; deterministic, so the seeds are not used."""
        # How frames divide into segments follows from the length alone.
        hop, num_samples = math.prod(self.model.encoder.ratios), encoded[0].num_samples
        length = self.model.segment_length or num_samples
        starts = range(0, num_samples, self.model.segment_stride or num_samples)
        frames = [-(-min(length, num_samples - start) // hop) for start in starts]
        parts = torch.split(torch.stack(codes, dim=1), frames, dim=-1)
        expected = len(parts) * bool(self.model.normalize)
        for one in encoded:
            if len(one.side_info) != expected * _SCALE.size:
                raise CodecError(
                    f"{len(one.side_info)} bytes of scales, expected {_SCALE.size} for each of "
                    f"{expected} segments"
                )
        values = [[v for (v,) in _SCALE.iter_unpack(one.side_info)] for one in encoded]
        scales = [scale[:, None] for scale in torch.tensor(values, device=self.device).T]
        return self.model.decode(list(zip_longest(parts, scales)))


def _static(name: str, told: Mapping[str, Any], rate_hz: int, **facts: Any) -> list[CodecSpec]:
    """Points of a network before anything is loaded; all of these have frames of 320 samples."""
    hop, segment_s, quantizer = 320, told.get("segment"), told["quantizer"]
    frame_rate = Fraction(rate_hz, hop) / (Fraction(99, 100) if segment_s else 1)
    streams = (Stream(frame_rate, quantizer["bins"]),) * quantizer["n_q"]
    shape = Shape(rate_hz, streams, told["encoder"].get("channels", 1))
    # One frame for the causal model; the other waits for its segment to be complete.
    facts["latency_samples"] = round(segment_s * rate_hz) if segment_s else hop
    return EncodecCodec.bandwidths(name, shape, hop, told["target_bandwidths"], **facts)


def _published(name: str, file: str, params_m: float) -> CodecModel:
    # The licence is that of the code; the weights are published beside it.
    told, facts = _PUBLISHED[name], {"params_m": params_m, "licence": "MIT"}
    digits = file.removesuffix(".th").rpartition("-")[2]  # of the digest, in the file's name
    hosted = HostedFile(file, f"encodec/v0/{file}", _SHA256.get(file, digits))
    source = WeightsSource("cdn", "encodec", (hosted,), revision="v0")
    return EncodecCodec.declared(_static(name, told, told["sample_rate"], **facts), source)


_MINI, _MINI_FACTS = embedded.config("encodec-mini"), neural.embedded_facts("encodec-mini")

MODELS = (
    _published("encodec-24khz", "encodec_24khz-d7cc33bc.th", 19.0),
    _published("encodec-48khz", "encodec_48khz-7e698e3e.th", 17.0),
    EncodecCodec.declared(
        _static("encodec-mini", _MINI["model"], _MINI["sample_rate"], **_MINI_FACTS)
    ),
)
FAMILY = CodecFamily(
    "encodec", published="encodec-24khz@1.5,3,6,12,24", embedded="encodec-mini@1.5,3,6,12"
)
OPENER = CodecOpener(
    "encodec",
    EncodecCodec.open,
    "an EnCodec: a .th of the published shapes, or weights + config.json",
)
