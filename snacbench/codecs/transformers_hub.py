"""EnCodec at 32 kHz and Mimi, which are published in the transformers library's format only.

Both are loaded strictly from the hub's two files. The library gets its configuration and its
tensors as values that are already read, so it neither downloads nor unpickles anything. Its tensors
changed their names between releases; it translates old names itself, and then nothing may be left
over on either side.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snacbench.codecs import _neural as neural
from snacbench.codecs._checkpoint import load_tensors
from snacbench.errors import WeightsMismatch
from snacbench.models import CodecModel, HostedFile, LocatedWeights, WeightsSource
from snacbench.types import Audio, CodecSpec, Encoded, Stream

if TYPE_CHECKING:
    import torch

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_SHOWN = 4

Quantise = Callable[[Any, Any, int], Any]
Synthesise = Callable[[Any, Any], Any]


def _hub_source(repository: str, sha256: str = "") -> WeightsSource:
    """Where the hub keeps a model: its configuration and its weights, `sha256` being theirs."""
    files = (HostedFile(CONFIG, CONFIG), HostedFile(WEIGHTS, WEIGHTS, sha256))
    return WeightsSource("hub", repository, files)


@dataclass(frozen=True)
class TransformersCodec:
    """A loaded model of the library at one number of codebooks.

    `quantise` makes codes of shape (1, codebooks, frames) of a model, audio of shape
    (1, channels, time) and a number of codebooks; `synthesise` makes audio of model and codes.
    """

    spec: CodecSpec
    model: Any
    device: torch.device
    quantise: Quantise
    synthesise: Synthesise

    def encode(self, audio: Audio) -> Encoded:
        """Encode a whole clip; the model pads it to whole frames, which count."""
        import torch

        with torch.inference_mode():
            batch = neural.to_tensor(audio, self.device)
            codes = self.quantise(self.model, batch, self.spec.settings["codebooks"])
        return Encoded(
            num_samples=audio.num_samples,
            channels=audio.channels,
            rate_hz=audio.rate_hz,
            codes=tuple(neural.to_codes(codes[:, i]) for i in range(codes.shape[1])),
        )

    def decode(self, encoded: Encoded, *, seed: int) -> Audio:
        """Decode; deterministic, so the seed is not used. The padding is cut off."""
        import torch

        codes = [neural.from_codes(c, self.device) for c in encoded.codes]
        with torch.inference_mode():
            batch = self.synthesise(self.model, torch.stack(codes, dim=1))
        return neural.to_audio(batch, encoded.rate_hz, encoded.num_samples)


def _model_of(
    name: str,
    points: Sequence[CodecSpec],
    source: WeightsSource,
    calls: tuple[Quantise, Synthesise],
    *,
    default: CodecSpec | None = None,
) -> CodecModel:
    """A model of the library's class ``{name}Model``; its bare name selects `default`, or all."""
    load = partial(_load, name, calls)
    return neural.model_at_depths(points, load, source, package="transformers", default=default)


def _load(
    name: str,
    calls: tuple[Quantise, Synthesise],
    spec: CodecSpec,
    weights: LocatedWeights | None,
    device: str,
) -> TransformersCodec:
    """The codec of the library's model class ``{name}Model``, ready to run.

    Raises
    ------
    WeightsMismatch
        If the files are no such model, are not this one, or leave any tensor over.
    """
    if weights is None:
        raise WeightsMismatch(f"{spec.name} cannot run without weights")
    model = _model(name, spec, weights.files[CONFIG], weights.files[WEIGHTS])
    ready = neural.prepare_for_inference(model, device)
    return TransformersCodec(spec, ready, neural.ready_device(device), *calls)


def _model(name: str, spec: CodecSpec, config_path: Path, path: Path) -> Any:
    import transformers

    transformers.utils.logging.set_verbosity_error()  # what does not fit is reported below
    transformers.utils.logging.disable_progress_bar()
    described = _described(name, config_path)
    tensors = load_tensors(path)
    try:
        config = getattr(transformers, f"{name}Config").from_dict(described)
        _check_rates(spec, config, config_path)
        model, report = _built(getattr(transformers, f"{name}Model"), config, tensors)
    except WeightsMismatch:
        raise
    except Exception as error:  # the library raises whatever it stumbles over
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsMismatch(
            f"{config_path} is no configuration of transformers' {name}Model "
            f"({type(error).__name__}: {first_line}); fetch it again"
        ) from error
    _check_report(report, len(tensors) - len(model.state_dict()), path, f"{name}Model")
    return model


def _described(name: str, path: Path) -> dict[str, Any]:
    """A configuration as it is written, if it is one of the right kind."""
    try:
        described = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise WeightsMismatch(f"{path} is not JSON ({error}); fetch it again") from error
    kind = described.get("model_type") if isinstance(described, dict) else None
    if kind != name.lower():
        raise WeightsMismatch(f"{path} describes a model of type {kind}, expected {name.lower()}")
    return dict(described)


def _built(network: Any, config: Any, tensors: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """A model of given tensors, and the library's report of those that do not fit."""
    import torch

    model, report = network.from_pretrained(
        None,
        config=config,
        state_dict=dict(tensors),
        dtype=torch.float32,
        ignore_mismatched_sizes=True,  # so that they are reported, and refused, like the others
        output_loading_info=True,
    )
    return model, report


def _check_rates(spec: CodecSpec, config: Any, origin: Path) -> None:
    """The spec is static; a configuration that disagrees would make every rate wrong."""
    stream = Stream(Fraction(config.frame_rate), config.codebook_size)
    if (
        config.sampling_rate != spec.rate_hz
        or config.audio_channels not in spec.channels
        or stream != spec.streams[0]
        or config.num_quantizers < len(spec.streams)
    ):
        raise WeightsMismatch(
            f"{origin} describes {config.sampling_rate} Hz, {config.audio_channels} channels, "
            f"{config.num_quantizers} codebooks of {config.codebook_size} at "
            f"{config.frame_rate:g} Hz, which is not {spec.model}"
        )


def _check_report(report: Mapping[str, Any], surplus: int, path: Path, name: str) -> None:
    """Refuse what does not fit; `surplus` is how many tensors more than the model's there are.

    The library keeps silent about unknown tensors whose names begin like those of its own parts,
    so they are counted: translated names are as many as the names that they come from.
    """
    missing, unexpected = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    misshapen = sorted(key if isinstance(key, str) else key[0] for key in report["mismatched_keys"])
    left_over = len(missing) + surplus
    if missing or left_over or misshapen or report["error_msgs"]:
        raise WeightsMismatch(
            f"{path} does not fit {name}: {len(missing)} keys missing{_some(missing)}, "
            f"{left_over} unexpected{_some(unexpected)}, "
            f"{len(misshapen)} of another shape{_some(misshapen)}"
        )


def _some(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")
    return f" ({shown})" if keys else ""


# --------------------------------------------------------------------------------- EnCodec 32 kHz


# MusicGen's music codec. Unlike the 24 kHz model it is not causal, and it was trained without
# quantiser dropout (audiocraft's configuration ``encodec_large_nq4_s640``), so fewer than its 4
# codebooks are truncated.

_ENCODEC_RATE_HZ, _ENCODEC_FRAME, _ENCODEC_CODEBOOKS = 32_000, 640, 4
_ENCODEC_BANDWIDTH_KBPS = 2.2
# How far ahead an output sample depends on the input, at the worst place within a frame, found
# by propagating gradients back through the model.
_ENCODEC_LATENCY_SAMPLES = 5_427
# As in the hub's commit 4966e19, which corrected the first upload.
_ENCODEC_SHA256 = "0e78f34d2ff3259f29bd51f7a99060151fe4ba5776fee216f58847f06082f1ca"

_ENCODEC_BASE = CodecSpec(
    name="encodec-32khz",
    model="encodec-32khz",
    family="encodec",
    rate_hz=_ENCODEC_RATE_HZ,
    channels=(1,),
    latency_s=_ENCODEC_LATENCY_SAMPLES / _ENCODEC_RATE_HZ,
    params_m=57.9,
    licence="CC-BY-NC-4.0 (as audiocraft's weights; the model card states none)",
    citation=(
        "Copet, Kreuk, Gat, Remez, Kant, Synnaeve, Adi, Défossez: Simple and Controllable Music "
        "Generation, NeurIPS 2023, arXiv:2306.05284"
    ),
)
_ENCODEC_POINTS = neural.points_at_depths(
    _ENCODEC_BASE,
    (Stream(Fraction(_ENCODEC_RATE_HZ, _ENCODEC_FRAME), 2_048),) * _ENCODEC_CODEBOOKS,
    "codebooks",
    trained_from=_ENCODEC_CODEBOOKS,
)


def _encodec_quantise(model: Any, batch: Any, codebooks: int) -> Any:
    """The first codes of all: the model knows one bandwidth, and each codebook codes a rest."""
    segments = model.encode(batch, bandwidth=_ENCODEC_BANDWIDTH_KBPS).audio_codes
    return segments[0][:, :codebooks]


def _encodec_synthesise(model: Any, codes: Any) -> Any:
    return model.decode(codes[None], [None]).audio_values


# ------------------------------------------------------------------------------------------- Mimi


# A causal codec with transformers around its quantisers (Défossez et al. 2024). The first codebook
# carries semantic tokens, distilled from WavLM; the others are a residual quantiser of their own,
# so that any number of them may be left away from the end.

_MIMI_RATE_HZ, _MIMI_FRAME, _MIMI_CODEBOOKS = 24_000, 1_920, 32
# What the paper evaluates (section 3.3: 8 codebooks, 1.1 kbps) and Moshi speaks with.
_MIMI_DEFAULT_CODEBOOKS = 8
# Quantiser dropout trained smaller depths, but the authors speak of 8, 16 and 32 codebooks only
# (kyutai-labs/moshi, issues 122, 144 and 189), so fewer than 8 are nothing they stand by.
_MIMI_FEWEST_CODEBOOKS = 8

_MIMI_BASE = CodecSpec(
    name="mimi",
    model="mimi",
    family="mimi",
    rate_hz=_MIMI_RATE_HZ,
    channels=(1,),
    latency_s=_MIMI_FRAME
    / _MIMI_RATE_HZ,  # causal: one frame of 80 ms, as the authors' README states
    params_m=96.1,
    licence="CC-BY-4.0",
    citation=(
        "Défossez, Mazaré, Orsini, Royer, Pérez, Jégou, Grave, Zeghidour: Moshi: a speech-text "
        "foundation model for real-time dialogue, 2024, arXiv:2410.00037"
    ),
)
_MIMI_POINTS = neural.points_at_depths(
    _MIMI_BASE,
    (Stream(Fraction(_MIMI_RATE_HZ, _MIMI_FRAME), 2_048),) * _MIMI_CODEBOOKS,
    "codebooks",
    trained_from=_MIMI_FEWEST_CODEBOOKS,
)


def _mimi_quantise(model: Any, batch: Any, codebooks: int) -> Any:
    return model.encode(batch, num_quantizers=codebooks).audio_codes


def _mimi_synthesise(model: Any, codes: Any) -> Any:
    return model.decode(codes).audio_values


MODELS = (
    _model_of(
        "Encodec",
        _ENCODEC_POINTS,
        _hub_source("facebook/encodec_32khz", _ENCODEC_SHA256),
        (_encodec_quantise, _encodec_synthesise),
    ),
    _model_of(
        "Mimi",
        _MIMI_POINTS,
        _hub_source("kyutai/mimi"),
        (_mimi_quantise, _mimi_synthesise),
        default=_MIMI_POINTS[_MIMI_DEFAULT_CODEBOOKS - 1],
    ),
)
