"""Models of the packages' own classes with random weights: of published size, narrow and tiny."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snacbench.plugins import codec_models
from snacbench.selectors import select
from snacbench.types import Audio
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.support.cases import cases

CONFIGURATIONS = cases(__file__)
SNAC_SHAPES: dict[str, dict[str, Any]] = CONFIGURATIONS["snac"]
DAC_SHAPES: dict[str, dict[str, Any]] = CONFIGURATIONS["dac"]


def narrow_snac(name: str) -> dict[str, Any]:
    """The published model's rates and strides at an eighth of its width."""
    # Attention heads are 64 wide, so the 32 and 44 kHz models cannot be narrower than this.
    encoder_dim, decoder_dim = (6, 128) if name == "snac-24khz" else (8, 128)
    return {**SNAC_SHAPES[name], "encoder_dim": encoder_dim, "decoder_dim": decoder_dim}


def filled(model: Any, seed: int = 0) -> Any:
    """Random weights that matter: no all-zero codebooks, biases or unit Snakes."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if name.endswith(("embed", "embed_sum", "codebook.weight")):
            tensor.data = torch.randn(tensor.shape, generator=generator)
        elif name.endswith("inited"):
            tensor.data = torch.ones_like(tensor)
        elif name.endswith(("alpha", "bias")):
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.data = (0.5 + noise) if name.endswith("alpha") else 0.02 * (noise - 0.5)
    return model.eval()


def write_published(name: str, folder: Path) -> Any:
    """Write a random model in its published format and return the package's own object."""
    torch.manual_seed(0)
    source = codec_models()[name].source
    assert source is not None
    if name in SNAC_SHAPES:
        from snac import SNAC

        model = filled(SNAC(**SNAC_SHAPES[name]))
        (folder / "config.json").write_text(json.dumps(SNAC_SHAPES[name]))
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    elif name in DAC_SHAPES:
        from dac import DAC

        model = filled(DAC(**DAC_SHAPES[name]))
        saved = {"state_dict": model.state_dict(), "metadata": {"kwargs": DAC_SHAPES[name]}}
        torch.save(saved, folder / source.files[0].aliases[0])
    else:
        from encodec import EncodecModel

        make = getattr(EncodecModel, name.replace("encodec-", "encodec_model_"))
        model = filled(make(pretrained=False))
        torch.save(model.state_dict(), folder / source.files[0].name)
    return model


TINY_DAC: dict[str, Any] = CONFIGURATIONS["tiny"]["dac"]
TINY_SNAC = narrow_snac("snac-24khz")
TINY_ENCODEC: dict[str, Any] = CONFIGURATIONS["tiny"]["encodec"]


def tiny_dac(seed: int = 0, **changes: Any) -> Any:
    from dac import DAC

    torch.manual_seed(seed)
    return filled(DAC(**{**TINY_DAC, **changes}), seed)


def tiny_snac(seed: int = 0, **changes: Any) -> Any:
    from snac import SNAC

    torch.manual_seed(seed)
    return filled(SNAC(**{**TINY_SNAC, **changes}), seed)


def encodec_config(encoder: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A configuration as snacbench reads it: the tiny one, with other arguments."""
    return {**TINY_ENCODEC, **changes, "encoder": {**TINY_ENCODEC["encoder"], **(encoder or {})}}


def encodec_of(config: dict[str, Any]) -> Any:
    """The package's own object of a configuration."""
    from encodec import EncodecModel
    from encodec.modules import SEANetDecoder, SEANetEncoder
    from encodec.quantization import ResidualVectorQuantizer

    torch.manual_seed(0)
    told = dict(config)
    encoder = told.pop("encoder")
    parts = (
        SEANetEncoder(**encoder),
        SEANetDecoder(**{**encoder, **told.pop("decoder", {})}),
        ResidualVectorQuantizer(**told.pop("quantizer")),
    )
    return filled(EncodecModel(*parts, channels=encoder.get("channels", 1), **told))


def tiny_encodec() -> Any:
    return encodec_of(encodec_config())


def segmented_encodec() -> tuple[Any, dict[str, Any]]:
    """As the 48 kHz model is built: two channels, segments that overlap by 1 %, normalised."""
    shape = {"channels": 2, "norm": "time_group_norm", "causal": False, "ratios": [4, 2]}
    of = {"sample_rate": 8_000, "target_bandwidths": [12.0], "normalize": True, "segment": 0.5}
    config = encodec_config(shape, **of)
    return encodec_of(config), config


def with_config(path: Path, model: Any, config: Any) -> Path:
    """Weights and, unless it is None, the configuration beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), path)
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        (path.parent / "config.json").write_text(text)
    return path


def opened(selector: str) -> Any:
    """A model at a path, or an embedded one, loaded as a run's worker loads it."""
    ((model, spec),) = select(selector)
    return model.load(spec, locate(model, WeightsPolicy("auto")), "cpu")


def batch_of(audio: Audio) -> torch.Tensor:
    return torch.from_numpy(np.array(audio.samples))[None]


CLASSES = {"encodec-32khz": "Encodec", "mimi": "Mimi"}


def network(name: str, **changes: Any) -> Any:
    """transformers' own object, of published size unless `changes` make it narrow."""
    import transformers

    fields = {**CONFIGURATIONS["transformers"][name], **changes}
    config = getattr(transformers, f"{CLASSES[name]}Config")(**fields)
    return getattr(transformers, f"{CLASSES[name]}Model")(config)
