"""DAC: residual vector quantisation with factorised codes (Kumar et al. 2023).

Whole files go through ``encode`` and ``decode``, never through the package's ``compress``, whose
overlapping one-second windows send more codes than the nominal rate and change the loudness.
The model's label is not its rate: "8kbps" at 24 kHz means 24 kbps at full depth.
"""

import inspect
import warnings
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from snacbench.codecs import _neural as neural
from snacbench.codecs._checkpoint import CONFIG, Checkpoint
from snacbench.codecs._neural import Shape, Told
from snacbench.later import torch
from snacbench.models import CodecFamily, CodecModel, CodecOpener, HostedFile, WeightsSource
from snacbench.types import CodecSpec, Encoded, Stream
from snacbench.weights import embedded


def _shape(rate_hz: int, hop: int, codebooks: int, codebook_size: int = 1024) -> Shape:
    return Shape(rate_hz, (Stream(Fraction(rate_hz, hop), codebook_size),) * codebooks)


class DacCodec(neural.PackageCodec):
    """A loaded DAC model at one number of codebooks."""

    FAMILY = "dac"
    CITATION = (
        "Kumar, Seetharaman, Luebs, Kumar, Kumar: High-Fidelity Audio Compression with Improved "
        "RVQGAN, NeurIPS 2023, arXiv:2306.06546"
    )

    @classmethod
    def read(cls, checkpoint: Checkpoint) -> tuple[Told, list[str]]:
        """The constructor's arguments: in the package's save format, a ``config.json``, or both."""
        known = list(inspect.signature(_network_class()).parameters)
        configured = checkpoint.configuration()
        kwargs = checkpoint.metadata.get("kwargs")
        saved: dict[str, Any] = dict(kwargs) if isinstance(kwargs, Mapping) else {}
        arguments = {**{k: v for k, v in saved.items() if k in known}, **configured}
        checkpoint.check_arguments(arguments, known=known, needed="sample_rate")
        notes = []
        if configured and saved:
            notes.append(f"{', '.join(sorted(configured))} from {CONFIG}")
        if left_out := sorted(saved.keys() - set(known)):
            notes.append(f"arguments that dac.DAC does not take left out: {', '.join(left_out)}")
        if not arguments.get("quantizer_dropout"):  # DAC.save writes False, whatever it was
            notes.append(
                "quantizer_dropout unknown (DAC.save does not keep it), so lesser depths count as "
                'truncated; if it was used, write {"quantizer_dropout": 1.0} to '
                f"{CONFIG} beside the weights"
            )
        return arguments, notes

    @staticmethod
    def build(**arguments: Any) -> Any:
        """The package's network."""
        return _network_class()(**arguments)

    @staticmethod
    def shape_of(network: Any) -> Shape:
        """All codebooks are alike."""
        rate_hz, hop = int(network.sample_rate), int(network.hop_length)
        return _shape(rate_hz, hop, int(network.n_codebooks), int(network.codebook_size))

    @classmethod
    def points_of(cls, name: str, network: Any, told: Told, **facts: Any) -> list[CodecSpec]:
        """Its depths; quantiser dropout trains all of them."""
        shape = cls.shape_of(network)
        trained_from = 1 if told.get("quantizer_dropout") else len(shape.streams)
        return cls.points(name, shape, trained_from=trained_from, **facts)

    def padded_length(self, num_samples: int) -> int:
        """Whole frames."""
        hop = int(self.model.hop_length)
        return -(-num_samples // hop) * hop

    def quantise(self, batch: Any) -> neural.Quantised:
        """Codes of whole clips, padded to whole frames as the package's ``preprocess`` does."""
        padded = self.model.preprocess(batch, self.spec.rate_hz)
        return self.model.encode(padded, self.spec.settings["codebooks"])[1].unbind(dim=1), ()

    def synthesise(self, codes: Any, encoded: Sequence[Encoded], seeds: Sequence[int]) -> Any:
        """Decode; deterministic, so the seeds are not used."""
        latent = self.model.quantizer.from_codes(torch.stack(codes, dim=1))[0]
        return self.model.decode(latent)


def _network_class() -> Any:
    """What PyTorch thinks of how the package is compiled is left unsaid."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`torch.jit.script` is deprecated")
        from dac import DAC
    return DAC


def _published(
    name: str, shape: Shape, params_m: float | None, latency_samples: int, asset: str
) -> CodecModel:
    """`asset` is the release and the file in it."""
    facts: dict[str, Any] = {"params_m": params_m, "licence": "MIT"}
    points = DacCodec.points(name, shape, latency_samples=latency_samples, **facts)
    repository, (tag, file) = "descriptinc/descript-audio-codec", asset.split("/")
    label = name.removeprefix("dac-").replace("-", "_")
    cached_as = f"weights_{label}{'' if 'kbps' in label else '_8kbps'}_{tag}.pth"
    hosted = HostedFile(cached_as, f"{repository}/releases/download/{asset}", aliases=(file,))
    source = WeightsSource("github", repository, (hosted,), revision=tag)
    return DacCodec.declared(points, source)


_MINI, _MINI_FACTS = embedded.config("dac-mini"), neural.embedded_facts("dac-mini")
_MINI_BOOKS = _MINI["model"]["n_codebooks"], _MINI["model"]["codebook_size"]
_MINI_SHAPE = _shape(_MINI["sample_rate"], _MINI["hop"], *_MINI_BOOKS)
_WIDE_ASSET = "1.0.0/weights_44khz_16kbps.pth"
MODELS = (
    _published("dac-44khz", _shape(44_100, 512, 9), 76.7, 9_002, "0.0.1/weights.pth"),
    # Its parameter count is not known without the file: the latent width differs.
    _published("dac-44khz-16kbps", _shape(44_100, 512, 18), None, 9_002, _WIDE_ASSET),
    _published("dac-24khz", _shape(24_000, 320, 32), 74.7, 5_954, "0.0.4/weights_24khz.pth"),
    _published("dac-16khz", _shape(16_000, 320, 12), 74.2, 5_954, "0.0.5/weights_16khz.pth"),
    DacCodec.declared(
        DacCodec.points("dac-mini", _MINI_SHAPE, latency_samples=5_954, **_MINI_FACTS)
    ),
)
FAMILY = CodecFamily("dac", published="dac-44khz@1.78,2.67,5.33,8", embedded="dac-mini@2q,3q,6q,9q")
OPENER = CodecOpener(
    "dac",
    DacCodec.open,
    "a DAC: weights.pth as DAC.save writes it, its folder, or weights + config.json",
)
