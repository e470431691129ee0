"""EnCodec: residual vector quantisation of a SEANet autoencoder (Défossez et al. 2022).

The 48 kHz model codes one-second segments that overlap by 1 % and sends a scale with each, so
its true code rate is the nominal one over 0.99, plus 32 bits per segment.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snacbench.codecs import _checkpoint as own
from snacbench.codecs import _neural as neural
from snacbench.codecs._checkpoint import (
    Checkpoint,
    fitting,
    load_strictly,
    load_tensors,
    read_checkpoint,
)
from snacbench.codecs._neural import Layer, convolution, look_ahead_samples, transposed
from snacbench.errors import CodecError, UserError, WeightsMismatch
from snacbench.models import (
    CodecFamily,
    CodecModel,
    CodecOpener,
    HostedFile,
    LocatedWeights,
    WeightsSource,
)
from snacbench.types import Audio, Codec, CodecSpec, Encoded, Stream, nominal_kbps_of
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
class EncodecCodec(neural.Batched):
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
            segments = self.model.encode(neural.stacked(signals, self.device))
            codes = torch.cat([codes for codes, _ in segments], dim=-1)
        scales = [scale.float().flatten().tolist() for _, scale in segments if scale is not None]
        of_signals = zip(*scales, strict=True)
        side_info = [b"".join(map(_SCALE.pack, values)) for values in of_signals]
        return neural.encoded_of(signals, codes.unbind(dim=1), side_info)

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode signals of equal length; deterministic, so the seeds are not used."""
        import torch

        codes = torch.stack(neural.codes_of(encoded, self.device), dim=1)
        parts = torch.split(codes, self._frames_per_segment(encoded[0].num_samples), dim=-1)
        values = [_scales(one, len(parts) * self.model.normalize) for one in encoded]
        scales = [scale[:, None] for scale in torch.tensor(values, device=self.device).T]
        with torch.inference_mode():
            batch = self.model.decode(list(zip_longest(parts, scales)))
        return neural.decoded_of(batch, encoded)

    def _frames_per_segment(self, num_samples: int) -> list[int]:
        """How the frames of a clip divide into segments; follows from the length alone."""
        hop = math.prod(self.model.encoder.ratios)
        length = self.model.segment_length or num_samples
        starts = range(0, num_samples, self.model.segment_stride or num_samples)
        return [-(-min(length, num_samples - start) // hop) for start in starts]


def _scales(encoded: Encoded, expected: int) -> list[float]:
    """The scale of each segment.

    Raises
    ------
    CodecError
        If there are not so many.
    """
    if len(encoded.side_info) != expected * _SCALE.size:
        raise CodecError(
            f"{len(encoded.side_info)} bytes of scales, expected {_SCALE.size} for each of "
            f"{expected} segments"
        )
    return [value for (value,) in _SCALE.iter_unpack(encoded.side_info)]


# What may stand in a configuration: arguments of the package's classes. `encoder` are those of both
# halves of the autoencoder, `decoder` what differs in the second.
_NEEDED = "sample_rate target_bandwidths encoder quantizer"
_KNOWN = (*_NEEDED.split(), "decoder", "normalize", "segment", "overlap")
# What the authors' constructors ``encodec_model_24khz`` and ``encodec_model_48khz`` build.
_PUBLISHED: dict[str, dict[str, Any]] = {
    "encodec-24khz": {
        "sample_rate": 24_000, "target_bandwidths": list(_24KHZ.bandwidths_kbps),
        "encoder": {"norm": "weight_norm", "causal": True},
        "quantizer": {"dimension": 128, "n_q": 32, "bins": 1024},
    },
    "encodec-48khz": {
        "sample_rate": 48_000, "target_bandwidths": list(_48KHZ.bandwidths_kbps),
        "encoder": {"channels": 2, "norm": "time_group_norm", "causal": False},
        "quantizer": {"dimension": 128, "n_q": 16, "bins": 1024},
        "normalize": True, "segment": 1.0,
    },
}  # fmt: skip


def _network(
    encoder: Mapping[str, Any],
    quantizer: Mapping[str, Any],
    target_bandwidths: Sequence[float],
    sample_rate: int,
    decoder: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Any:
    """The package's model, without weights."""
    from encodec import EncodecModel
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer

    return EncodecModel(
        SEANetEncoder(**encoder),
        SEANetDecoder(**{**encoder, **(decoder or {})}),
        ResidualVectorQuantizer(**quantizer),
        list(target_bandwidths),
        sample_rate,
        encoder.get("channels", 1),
        **settings,
    )


def _load(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> EncodecCodec:
    told, checkpoint, _ = _read(own.files_of(spec, weights))
    model = neural.build(_network, told, checkpoint.path)
    _check_network(spec, model, checkpoint.path)
    load_strictly(model, checkpoint.state, checkpoint.path)
    return EncodecCodec(
        spec, neural.prepare_for_inference(model, device), neural.ready_device(device)
    )


def _read(files: Mapping[str, Path]) -> tuple[dict[str, Any], Checkpoint, list[str]]:
    """The network that a model's files describe, its weights, and notes on how that was found.

    Weights without a ``config.json`` are those of a published network, if they fit one.

    Raises
    ------
    UserError
        If the files do not tell the network.
    """
    checkpoint = read_checkpoint(own.weights_of(files))
    told = own.configuration(files, beside=("sample_rate",))
    if told:
        own.check_arguments(files, told, known=_KNOWN, needed=_NEEDED)
        return told, checkpoint, []
    for name, published in _PUBLISHED.items():
        try:
            outline = neural.outline(_network, published, checkpoint.path)
            fitting(outline, checkpoint.state, checkpoint.path)
        except WeightsMismatch:
            continue
        note = f"no {own.CONFIG}; it fits {name}, whose rate and mode it gets"
        return published, checkpoint, [note]
    raise UserError(
        f"{checkpoint.path} fits no published EnCodec, and has no {own.CONFIG} beside it: expected "
        f"a JSON object of {', '.join(_KNOWN)}"
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
    told, checkpoint, notes = _read(files)
    model = neural.outline(_network, told, checkpoint.path)
    fitting(model, checkpoint.state, checkpoint.path)
    name = own.name_of(checkpoint.path, "encodec", name)
    base = CodecSpec(
        name=name,
        model=name,
        family="encodec",
        rate_hz=model.sample_rate,
        channels=(model.channels,),
        latency_s=_latency_s(model),
        params_m=checkpoint.params_m,
        licence=own.LICENCE,
        citation=_CITATION,
    )
    # A point per bandwidth, under its true rate: the label may promise more than is sent.
    points: dict[int, CodecSpec] = {}
    stream, hop = _stream(model), math.prod(model.encoder.ratios)
    once = Stream(Fraction(model.sample_rate, hop), stream.codebook_size)
    per_codebook = math.log2(stream.codebook_size) * math.ceil(model.sample_rate / hop) / 1000
    for kbps in sorted(model.target_bandwidths):
        used = max(1, min(model.quantizer.n_q, int(kbps // per_codebook)))  # as the package counts
        nominal_kbps = nominal_kbps_of((once,) * used)
        point = replace(
            base,
            name=f"{base.model}@{nominal_kbps:.4g}kbps",
            streams=(stream,) * used,
            nominal_kbps=nominal_kbps,
            settings={"bandwidth_kbps": kbps},
        )
        points.setdefault(used, point)
    return own.model_of([*points.values()], files, _load, package="encodec", notes=notes)


def _latency_s(model: Any) -> float | None:
    """A segment, or a frame of a causal model, or the look-ahead of one that is not."""
    if model.segment is not None:
        return float(model.segment)
    if model.normalize or model.encoder.model[0].conv.norm_type == "time_group_norm":
        return None
    hop = math.prod(model.encoder.ratios)
    layers = [*layers_of(model.encoder), *layers_of(model.decoder)]
    return max(hop, look_ahead_samples(layers, hop)) / int(model.sample_rate)


def layers_of(module: Any) -> Iterator[Layer]:
    """Layers of a SEANet, for its look-ahead; they pad and trim outside their convolutions."""
    for part in module.modules():
        name = type(part).__name__
        if name == "SConv1d":
            conv = part.conv.conv
            total = (conv.kernel_size[0] - 1) * conv.dilation[0] + 1 - conv.stride[0]
            yield convolution(conv, padding=total if part.causal else total - total // 2)
        elif name == "SConvTranspose1d":
            conv = part.convtr.convtr
            total = conv.kernel_size[0] - conv.stride[0]
            right = math.ceil(total * part.trim_right_ratio) if part.causal else total // 2
            yield transposed(conv, trimmed=total - right)


MODELS = (_published_model(_24KHZ), _published_model(_48KHZ), _mini())
FAMILY = CodecFamily(
    "encodec", published="encodec-24khz@1.5,3,6,12,24", embedded="encodec-mini@1.5,3,6,12"
)
OPENER = CodecOpener(
    "encodec", _open, "an EnCodec: a .th of the published shapes, or weights + config.json"
)


# -------------------------------------------------------------------------------- language models
#
# The authors' own, which say how likely every next code is: one small Transformer per model
# predicts all codebooks of a frame from the frames before it, 3.5 s back (section 3.3). Their rates
# "with entropy coding" are by these.

_CONTEXT_S = 3.5


@dataclass(frozen=True)
class LanguageFacts:
    """What `EncodecModel.get_lm_model` builds for a model, and after how many frames it restarts.

    The 48 kHz model codes segments of a second apart from each other, and so does the coder.
    """

    codec: str
    file: str
    sha256: str
    codebooks: int
    frame_rate_hz: int
    segment_frames: int | None = None
    codebook_size: int = 1024
    dim: int = 200
    layers: int = 5

    @property
    def past_frames(self) -> int:
        """How many frames it looks back."""
        return int(_CONTEXT_S * self.frame_rate_hz)


LANGUAGE_FACTS = (
    LanguageFacts("encodec-24khz", "encodec_lm_24khz-1608e3c0.th", "1608e3c0", 32, 75),
    LanguageFacts("encodec-48khz", "encodec_lm_48khz-7add9fc3.th", "7add9fc3", 16, 150, 150),
)


def _not_a_codec(spec: CodecSpec, weights: LocatedWeights | None, device: str) -> Codec:
    raise UserError(f"{spec.name} is a language model of codes, and codes no audio")


def _language_model(facts: LanguageFacts) -> CodecModel:
    """Under this its weights are found, fetched and checked as a codec's are."""
    file = HostedFile(facts.file, f"encodec/v0/{facts.file}", facts.sha256)
    return CodecModel(
        name=facts.codec.replace("encodec-", "encodec-lm-"),
        family="encodec",
        points=(),
        default=(),
        load=_not_a_codec,
        source=WeightsSource("cdn", "encodec", (file,), revision="v0"),
        requires=("torch", "encodec"),
    )


LANGUAGE_MODELS = {facts.codec: _language_model(facts) for facts in LANGUAGE_FACTS}
"""By the name of the codec whose codes they know."""

Step = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A loaded language model.

    Attributes
    ----------
    sha256 : str
        Digest of its weights file.
    segment_frames : int or None
        After so many frames it begins anew.
    """

    network: Any
    sha256: str
    segment_frames: int | None
    codebooks: int
    codebook_size: int

    def begin(self, streams: int) -> Step:
        """A walk through a segment's frames, for the first so many codebooks.

        The function that is returned takes a frame's codes, shape (streams,), or None before the
        first, and returns how likely the next frame's are, shape (streams, codebook_size). It must
        see the same sequence of calls when decoding as when encoding: the probabilities are the
        same to the last bit only then, on the same machine with the same number of threads.
        """
        import numpy as np
        import torch

        states: Any = None
        offset: Any = 0

        def step(codes: Any | None) -> Any:
            nonlocal states, offset
            frame = np.zeros(streams, np.int64) if codes is None else codes + 1
            with torch.inference_mode():
                given = torch.from_numpy(frame).view(1, streams, 1)
                likely, states, offset = self.network(given, states, offset)
            found: Any = likely[0, :, :, 0].T.contiguous().numpy()
            return found

        return step


def load_language_model(codec: str, weights: LocatedWeights) -> LanguageModel:
    """The language model for a codec's codes, from its published file.

    Raises
    ------
    WeightsMismatch
        If the file is not such a model.
    """
    from encodec.model import LMModel

    facts = next(facts for facts in LANGUAGE_FACTS if facts.codec == codec)
    path = weights.files[facts.file]
    state = load_tensors(path)
    if not isinstance(state, dict):
        raise WeightsMismatch(
            f"{path} holds a {type(state).__name__}, expected the weights of a language model"
        )
    arguments = {
        "n_q": facts.codebooks,
        "card": facts.codebook_size,
        "dim": facts.dim,
        "num_layers": facts.layers,
        "past_context": facts.past_frames,
    }
    network = neural.build(LMModel, arguments, path)
    load_strictly(network, state, path)
    network.eval().requires_grad_(False)
    sha256 = weights.info.sha256[facts.file]
    return LanguageModel(
        network, sha256, facts.segment_frames, facts.codebooks, facts.codebook_size
    )
