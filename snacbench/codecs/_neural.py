"""What a PyTorch codec is: a network, its weights, codes that streams are made of, batches.

A family says what is its own: its package's class, how many codes that sends, and the way from
samples to codes and back (`NeuralCodec`). Nothing here changes a result: fusing weight norm and
the in-place Snake give the same bits as the packages' own modules, which the tests hold.
"""

from __future__ import annotations

import copy
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from snacbench.audio.resample import fit_length
from snacbench.codecs import _checkpoint as checkpoints
from snacbench.codecs._checkpoint import Checkpoint, fuse_weight_norm
from snacbench.errors import UserError, WeightsMismatch
from snacbench.later import np, torch
from snacbench.models import CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import Audio, CodecSpec, Encoded, Stream, nominal_kbps_of
from snacbench.weights import embedded

Told = Mapping[str, Any]  # arguments of a network, as its files tell them
Quantised = tuple[Sequence[Any], Sequence[bytes]]


# --------------------------------------------------------------------- what is known beforehand
@dataclass(frozen=True)
class Shape:
    """What all rates follow from: specs state it, and a network must have it.

    `streams` are those of the full depth, coarse to fine.
    """

    rate_hz: int
    streams: tuple[Stream, ...]
    channels: int = 1

    def __str__(self) -> str:
        sizes = dict.fromkeys(str(s.codebook_size) for s in self.streams)
        rates = dict.fromkeys(f"{float(s.frame_rate_hz):.6g}" for s in self.streams)
        return (
            f"{self.rate_hz} Hz, {self.channels} channels, {len(self.streams)} codebooks of "
            f"{', '.join(sizes)} at {', '.join(rates)} Hz"
        )


# ------------------------------------------------------------------------------- a loaded codec
@dataclass(frozen=True)
class NeuralCodec(ABC):
    """A loaded network at one operating point; it computes in batches, one signal being one of one.

    In a batch, a network sees the zeros that fill a short signal up: its last codes change, and
    where norms span the whole signal all of them. So only signals of one `padded_length` go
    together: those that the codec would have brought to the same length anyway.
    """

    spec: CodecSpec
    model: Any
    device: torch.device

    FAMILY: ClassVar[str]
    PACKAGE: ClassVar[str] = ""  # that of the family's name
    SETTING: ClassVar[str] = "codebooks"  # what the number of streams is called
    CITATION: ClassVar[str]

    @classmethod
    def points(
        cls,
        name: str,
        shape: Shape,
        *,
        latency_samples: int | None = None,
        trained_from: int = 1,
        **facts: Any,
    ) -> list[CodecSpec]:
        """One operating point per number of streams; those below `trained_from` are truncated.

        `latency_samples` are the inputs that an output sample waits for, itself counted, at the
        worst place within a frame or block, if that is known; `facts` are further fields of
        `CodecSpec`.
        """
        rates = [nominal_kbps_of(shape.streams[:used]) for used in range(len(shape.streams) + 1)]
        return [
            CodecSpec(
                name=f"{name}@{rates[used]:.3g}kbps", model=name, family=cls.FAMILY,
                rate_hz=shape.rate_hz, channels=(shape.channels,), streams=shape.streams[:used],
                nominal_kbps=rates[used], settings={cls.SETTING: used},
                latency_s=None if latency_samples is None else latency_samples / shape.rate_hz,
                truncated=used < trained_from, citation=cls.CITATION, **facts,
            )
            for used in range(1, len(shape.streams) + 1)
        ]  # fmt: skip

    @classmethod
    def declared(
        cls, points: Sequence[CodecSpec], source: WeightsSource | None = None, *, default: int = -1
    ) -> CodecModel:
        """A model as `MODELS` has it, of embedded weights if it has no source.

        Its bare name selects the point of the index `default`.
        """
        name = points[-1].model
        return CodecModel(
            name=name, family=cls.FAMILY, points=tuple(points), default=(points[default].name,),
            load=cls.load, source=source or embedded.source(name),
            requires=("torch", cls.PACKAGE or cls.FAMILY),
            nested=True,  # every quantiser codes what those before it have left
        )  # fmt: skip

    @classmethod
    @abstractmethod
    def load(cls, spec: CodecSpec, weights: LocatedWeights | None, device: str) -> Self:
        """The codec of a spec; `WeightsMismatch` where its files hold another model."""

    @staticmethod
    @abstractmethod
    def shape_of(network: Any) -> Shape:
        """What a network's rates follow from."""

    @abstractmethod
    def quantise(self, batch: Any) -> Quantised:
        """Codes of each stream, shape (signals, frames), of a batch (signals, channels, time).

        And the side information of each signal, or () if there is none at all.
        """

    @abstractmethod
    def synthesise(self, codes: Any, encoded: Sequence[Encoded], seeds: Sequence[int]) -> Any:
        """The inverse: a batch of signals, which may be too long or lack a few samples."""

    @classmethod
    def check(cls, spec: CodecSpec, network: Any, origin: object) -> None:
        """Refuse a network that is not a spec's, whose rates would be wrong (`WeightsMismatch`)."""
        shape = cls.shape_of(network)
        used = shape.streams[: spec.settings.get(cls.SETTING, len(spec.streams))]
        found = (shape.rate_hz, (shape.channels,), used)
        if found != (spec.rate_hz, spec.channels, spec.streams):
            raise WeightsMismatch(f"{origin} describes {shape}, which is not {spec.model}")

    def at(self, spec: CodecSpec) -> Self:
        """The same network at another operating point."""
        self.check(spec, self.model, spec.model)
        return replace(self, spec=spec)

    def padded_length(self, num_samples: int) -> int:
        """Length to which the codec brings a signal of so many samples."""
        return num_samples

    @property
    def block_samples(self) -> int:
        """Samples after which its looking ahead begins anew: a frame of its slowest codes."""
        slowest = min(stream.frame_rate_hz for stream in self.spec.streams)
        return max(self.padded_length(1), math.ceil((self.spec.rate_hz or 0) / slowest))

    def parts(self) -> dict[str, list[torch.nn.Module]]:
        """The network's modules by what they are for: encoder, quantiser or decoder."""
        found: dict[str, list[torch.nn.Module]] = {"encoder": [], "quantiser": [], "decoder": []}
        for name, module in self.model.named_children():
            found[name if name in found else "quantiser"].append(module)
        return found

    def params_m(self) -> dict[str, float]:
        """Parameters of each part in millions, weight norm fused, codebooks included."""
        return {
            part: sum(checkpoints.params_m(module.state_dict()) for module in modules)
            for part, modules in self.parts().items()
        }

    def fine_decoder(self) -> Callable[[Encoded], Any]:
        """A decoder to (channels, time) in 64-bit floats, its random numbers always alike."""
        model = copy.deepcopy(self.model).double()
        for module in model.modules():  # what it keeps of tensors beside parameters and buffers
            for name, value in list(vars(module).items()):
                if isinstance(value, torch.Tensor) and value.is_floating_point():
                    setattr(module, name, value.double())
        fine = replace(self, model=model)

        def decode(encoded: Encoded) -> Any:
            codes = [torch.from_numpy(stream).long().to(self.device) for stream in encoded.codes]
            with torch.inference_mode():
                return fine.synthesise(codes, [encoded], [0])[0].cpu().numpy()

        return decode

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        """Encode signals of one padded length; the padding is in the codes."""
        longest = max(signal.num_samples for signal in signals)
        batch = np.zeros((len(signals), signals[0].channels, longest), dtype=np.float32)
        for row, signal in zip(batch, signals, strict=True):
            row[:, : signal.num_samples] = signal.samples
        with torch.inference_mode():
            streams, side_info = self.quantise(torch.from_numpy(batch).to(self.device))
        codes = [stream.cpu().numpy().astype(np.int32) for stream in streams]
        return [
            Encoded(
                signal.num_samples, signal.channels, signal.rate_hz,
                codes=tuple(np.ascontiguousarray(stream[i : i + 1]) for stream in codes),
                side_info=side_info[i] if side_info else b"",
            )
            for i, signal in enumerate(signals)
        ]  # fmt: skip

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode what signals of one padded length were encoded to, each with its own seed."""
        streams = zip(*(one.codes for one in encoded), strict=True)
        codes = [
            torch.from_numpy(np.concatenate(stream).astype(np.int64)).to(self.device)
            for stream in streams
        ]
        with torch.inference_mode():
            batch = self.synthesise(codes, encoded, seeds).float().cpu().numpy()
        # Longer outputs are cut; strided convolutions lose up to a few samples, which are zeros.
        return [
            Audio(np.ascontiguousarray(fit_length(row, one.num_samples)), one.rate_hz)
            for row, one in zip(batch, encoded, strict=True)
        ]

    def encode(self, audio: Audio) -> Encoded:
        """Encode a signal."""
        return self.encode_batch([audio])[0]

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode to the length of the signal; stochastic decoders use the seed."""
        return self.decode_batch([encoded], seeds=[seed])[0]


class PackageCodec(NeuralCodec):
    """A codec in the format of its own package, in which one may have trained another."""

    @classmethod
    @abstractmethod
    def read(cls, checkpoint: Checkpoint) -> tuple[Told, list[str]]:
        """The arguments of a model's network, and notes on how they were found."""

    @staticmethod
    @abstractmethod
    def build(**arguments: Any) -> Any:
        """The package's network, without weights."""

    @classmethod
    @abstractmethod
    def points_of(cls, name: str, network: Any, told: Told, **facts: Any) -> list[CodecSpec]:
        """The operating points of a network that is one's own, the last being its full depth."""

    @classmethod
    def load(cls, spec: CodecSpec, weights: LocatedWeights | None, device: str) -> Self:
        """The codec of a spec, its weights loaded strictly."""
        checkpoint = checkpoints.read_checkpoint(checkpoints.files_of(spec, weights))
        network = build(cls.build, cls.read(checkpoint)[0], checkpoint.origin)
        cls.check(spec, network, checkpoint.origin)
        state = checkpoints.fitting(network, checkpoint.state, checkpoint.path)
        network.load_state_dict(state, strict=True)
        return cls(spec, prepare_for_inference(network, device), ready_device(device))

    @classmethod
    def open(cls, path: Path, name: str) -> CodecModel:
        """A checkpoint of one's own as a model whose points follow from its network."""
        files = checkpoints.find(path, cls.FAMILY)
        checkpoint = checkpoints.read_checkpoint(files)
        told, notes = cls.read(checkpoint)
        network = outline(cls.build, told, checkpoint.origin)
        checkpoints.fitting(network, checkpoint.state, checkpoint.path)
        name = checkpoints.name_of(checkpoint.path, cls.FAMILY, name)
        facts = {"params_m": checkpoints.params_m(checkpoint.state), "licence": "unknown"}
        # A class may take arguments from which no frame rate or look-ahead follows.
        points = build(partial(cls.points_of, name, network, told), facts, checkpoint.origin)
        if notes:
            points = [replace(p, settings={**p.settings, "notes": notes}) for p in points]
        hosted = tuple(HostedFile(name, url_path=str(path)) for name, path in files.items())
        source = WeightsSource("own", str(checkpoint.path), hosted, revision="")
        return cls.declared(points, source)


# --------------------------------------------------------------------------- networks and devices
def ready_device(name: str) -> torch.device:
    """The device to run on, with reduced-precision matrix products (TF32) switched off.

    Raises `UserError` where CUDA is asked for and not available.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: PyTorch finds no CUDA device here; use --device cpu")
    return torch.device(name)


def embedded_facts(name: str) -> dict[str, Any]:
    """What specs of a model in this package say beside its rates."""
    licence = embedded.config(name)["licence"]
    return {"params_m": embedded.params_m(name), "licence": licence, "demonstration": True}


def build(network: Callable[..., Any], arguments: Told, origin: Path) -> Any:
    """A network without weights, or its points; `UserError` where the arguments do not do."""
    try:
        with warnings.catch_warnings():
            # The packages' own way to normalise weights; they are fused before use anyway.
            warnings.filterwarnings("ignore", message=".*weight_norm.* is deprecated")
            return network(**arguments)
    except (  # others come of packages that do not load
        AssertionError, ArithmeticError, LookupError, NameError, RuntimeError, TypeError, ValueError
    ) as error:  # fmt: skip
        raise UserError(
            f"{origin}: the network that it describes cannot be built "
            f"({type(error).__name__}: {error!s:.200})"
        ) from error


def outline(network: Callable[..., Any], arguments: Told, origin: Path) -> Any:
    """The same network without memory for its weights: its shapes are all that is wanted."""
    with torch.device("meta"):
        return build(network, arguments, origin)


def prepare_for_inference(model: torch.nn.Module, device: str) -> torch.nn.Module:
    """Switch to evaluation, fuse weight norm, make Snake work in place, move to the device."""
    model.eval()
    fuse_weight_norm(model)
    use_inplace_snake(model)
    model.requires_grad_(False)
    return model.to(ready_device(device))


def use_inplace_snake(model: torch.nn.Module) -> None:
    """Replace every Snake activation by one that allocates a single temporary.

    ``x + sin(alpha x)^2 / (alpha + 1e-9)`` (Ziyin et al. 2020, eq. 3), the operations in the
    packages' order, so that the result is the same to the last bit.
    """

    class InPlaceSnake(torch.nn.Module):
        def __init__(self, alpha: torch.nn.Parameter) -> None:
            super().__init__()
            self.alpha = alpha

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            wave = torch.mul(self.alpha, x)
            wave.sin_().square_().mul_((self.alpha + 1e-9).reciprocal())
            return wave.add_(x)

    replace_modules(model, "Snake1d", lambda snake: InPlaceSnake(snake.alpha))


def replace_modules(model: torch.nn.Module, kind: str, by: Callable[[Any], Any]) -> None:
    """Put another module in place of each one whose class has this name."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child).__name__ == kind:
                setattr(module, name, by(child))
