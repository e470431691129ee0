"""EnCodec at 32 kHz and Mimi, which are published in the transformers library's format only.

Both are loaded strictly from the hub's two files. The library gets its configuration and its
tensors as values that are already read, so it neither downloads nor unpickles anything. Its tensors
changed their names between releases; it translates old names itself, and then nothing may be left
over on either side.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, ClassVar, Self

from snacbench.codecs import _checkpoint as checkpoints
from snacbench.codecs import _neural as neural
from snacbench.codecs._neural import Shape
from snacbench.errors import WeightsMismatch
from snacbench.later import torch, transformers
from snacbench.models import HostedFile, LocatedWeights, WeightsSource
from snacbench.types import CodecSpec, Encoded, Stream

CONFIG, WEIGHTS = checkpoints.CONFIG, "model.safetensors"


class TransformersCodec(neural.NeuralCodec):
    """A loaded model of the library's class ``{NAME}Model`` at one number of codebooks."""

    PACKAGE = "transformers"
    NAME: ClassVar[str]

    @classmethod
    def load(cls, spec: CodecSpec, weights: LocatedWeights | None, device: str) -> Self:
        """The codec; `WeightsMismatch` where files are another model's, or leave a tensor over."""
        transformers.utils.logging.set_verbosity_error()  # what does not fit is reported below
        transformers.utils.logging.disable_progress_bar()
        files, kind = checkpoints.files_of(spec, weights), f"{cls.NAME}Model"
        described = checkpoints.read_config(files[CONFIG])
        if (found := described.get("model_type")) != (expected := cls.NAME.lower()):
            text = f"{files[CONFIG]} describes a model of type {found}, expected {expected}"
            raise WeightsMismatch(text)
        tensors = checkpoints.load_tensors(files[WEIGHTS])
        try:
            config = getattr(transformers, f"{cls.NAME}Config").from_dict(described)
            cls.check(spec, config, files[CONFIG])
            network, report = getattr(transformers, kind).from_pretrained(
                None, config=config, state_dict=dict(tensors), dtype=torch.float32,
                ignore_mismatched_sizes=True,  # so that they are reported, and refused here
                output_loading_info=True,
            )  # fmt: skip
        except WeightsMismatch:
            raise
        except Exception as error:  # the library raises whatever it stumbles over
            raise WeightsMismatch(
                f"{files[CONFIG]} is no configuration of transformers' {kind} "
                f"({type(error).__name__}: {checkpoints.first_line(error)}); fetch it again"
            ) from error
        missing, unexpected = report["missing_keys"], report["unexpected_keys"]
        misshapen = [key if isinstance(key, str) else key[0] for key in report["mismatched_keys"]]
        # The library keeps silent about unknown tensors whose names begin like those of its own
        # parts, so all are counted: translated names are as many as those that they come from.
        left_over = len(missing) + len(tensors) - len(network.state_dict())
        if missing or left_over or misshapen or report["error_msgs"]:
            counts = checkpoints.misfit(missing, unexpected, misshapen, left_over=left_over)
            raise WeightsMismatch(f"{files[WEIGHTS]} does not fit {kind}: {counts}")
        ready = neural.prepare_for_inference(network, device)
        return cls(spec, ready, neural.ready_device(device))

    @staticmethod
    def shape_of(network: Any) -> Shape:
        """Of a configuration, or of a network that has one."""
        config = getattr(network, "config", network)
        streams = (Stream(Fraction(config.frame_rate), config.codebook_size),)
        return Shape(config.sampling_rate, streams * config.num_quantizers, config.audio_channels)


class Encodec32(TransformersCodec):
    """MusicGen's music codec. Unlike the 24 kHz model it is not causal."""

    FAMILY, NAME = "encodec", "Encodec"
    CITATION = (
        "Copet, Kreuk, Gat, Remez, Kant, Synnaeve, Adi, Défossez: Simple and Controllable Music "
        "Generation, NeurIPS 2023, arXiv:2306.05284"
    )

    def quantise(self, batch: Any) -> neural.Quantised:
        """The first codes of all: the model knows one bandwidth, and each codebook codes a rest."""
        segments = self.model.encode(batch, bandwidth=2.2).audio_codes
        return segments[0][:, : self.spec.settings["codebooks"]].unbind(dim=1), ()

    def synthesise(self, codes: Any, encoded: Sequence[Encoded], seeds: Sequence[int]) -> Any:
        """Decode; deterministic, so the seeds are not used."""
        decoded = self.model.decode(torch.stack(codes, dim=1)[None], [None])
        return decoded.audio_values


class Mimi(TransformersCodec):
    """A causal codec with transformers around its quantisers (Défossez et al. 2024).

    The first codebook carries semantic tokens, distilled from WavLM; the others are a residual
    quantiser of their own, so that any number of them may be left away from the end.
    """

    FAMILY, NAME = "mimi", "Mimi"
    CITATION = (
        "Défossez, Mazaré, Orsini, Royer, Pérez, Jégou, Grave, Zeghidour: Moshi: a speech-text "
        "foundation model for real-time dialogue, 2024, arXiv:2410.00037"
    )

    def quantise(self, batch: Any) -> neural.Quantised:
        """The model pads to whole frames, which count."""
        codebooks = self.spec.settings["codebooks"]
        return self.model.encode(batch, num_quantizers=codebooks).audio_codes.unbind(dim=1), ()

    def synthesise(self, codes: Any, encoded: Sequence[Encoded], seeds: Sequence[int]) -> Any:
        """Decode; deterministic, so the seeds are not used."""
        return self.model.decode(torch.stack(codes, dim=1)).audio_values


def _source(repository: str, sha256: str = "") -> WeightsSource:
    """Where the hub keeps a model: its configuration and its weights, `sha256` being theirs."""
    files = (HostedFile(CONFIG, CONFIG), HostedFile(WEIGHTS, WEIGHTS, sha256))
    return WeightsSource("hub", repository, files)


_32KHZ = Encodec32.points(
    "encodec-32khz", Shape(32_000, (Stream(Fraction(32_000, 640), 2_048),) * 4),
    # Trained without quantiser dropout (audiocraft: ``encodec_large_nq4_s640``).
    trained_from=4,
    latency_samples=5_428,  # found by propagating gradients back through the model
    params_m=57.9, licence="CC-BY-NC-4.0 (as audiocraft's weights; the model card states none)",
)  # fmt: skip
_MIMI = Mimi.points(
    "mimi", Shape(24_000, (Stream(Fraction(24_000, 1_920), 2_048),) * 32),
    # Quantiser dropout trained smaller depths, but the authors speak of 8, 16 and 32 codebooks
    # only (kyutai-labs/moshi, issues 122, 144 and 189).
    trained_from=8,
    latency_samples=1_920,  # causal: one frame of 80 ms, as the authors' README states
    params_m=96.1, licence="CC-BY-4.0",
)  # fmt: skip
# As in the hub's commit 4966e19, which corrected the first upload.
_SHA256 = "0e78f34d2ff3259f29bd51f7a99060151fe4ba5776fee216f58847f06082f1ca"
MODELS = (
    Encodec32.declared(_32KHZ, _source("facebook/encodec_32khz", _SHA256)),
    # What the paper evaluates (section 3.3: 8 codebooks, 1.1 kbps) and Moshi speaks with.
    Mimi.declared(_MIMI, _source("kyutai/mimi"), default=7),
)
