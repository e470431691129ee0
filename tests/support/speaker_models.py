"""Files of speaker networks in their published format: small siblings, with weights by name.

`speaker_models.json` has the names and shapes of the tensors, and what the networks' own code made
of voices with these weights."""

import functools
import json
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from snacbench.audio.io import read_clip
from snacbench.audio.resample import resample
from snacbench.testsets.opening import quick
from snacbench.types import Audio

RECORDED = json.loads(Path(__file__).with_suffix(".json").read_text())
RATE_HZ = 16_000
WHEEL = "Resemblyzer-0.1.4-py3-none-any.whl"
XVECTOR = {
    **{"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "conv_dim": [16] * 7},
    **{"num_hidden_layers": 3, "tdnn_dim": [24, 24, 24, 24, 40], "xvector_output_dim": 16},
    **{"use_weighted_layer_sum": True, "num_labels": 5},
}


def drawn(shapes: Mapping[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """A tensor for every name, drawn from its name alone: anyone can make it again."""
    state = {}
    for name, shape in shapes.items():
        values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(1)
            continue
        if name.endswith(("running_var", "weight_g")):
            values = 0.5 + np.abs(values)
        elif len(shape) > 1 and not name.endswith("grep_a"):
            values *= 1.5 / math.sqrt(math.prod(shape[1:]))
        elif name.endswith((".weight", "grep_a")):  # of norms
            values = 1 + values / 5
        state[name] = torch.tensor(values, dtype=torch.float32)
    return state


def write(network: str, folder: Path) -> Path:
    """The files of a network under their published names."""
    state = drawn(RECORDED[network]["shapes"])
    if network == "wavlm_large":
        torch.save({"model": state}, folder / "wavlm_large_finetune.pth")
    elif network == "ecapa":
        torch.save(state, folder / "embedding_model.ckpt")
    else:
        torch.save({"step": 1, "model_state": state}, folder / "pretrained.pt")
        with zipfile.ZipFile(folder / WHEEL, "w") as archive:
            archive.write(folder / "pretrained.pt", "resemblyzer/pretrained.pt")
    return folder


def write_xvector(folder: Path, *, normalise: bool) -> Path:
    """WavLM Base+ for verification; weight norm in the form of PyTorch before 2."""
    from transformers import WavLMConfig, WavLMForXVector

    config = WavLMConfig(**XVECTOR)
    old = {"parametrizations.weight.original0": "weight_g"}
    old |= {"parametrizations.weight.original1": "weight_v"}
    shapes = {}
    for name, tensor in WavLMForXVector(config).state_dict().items():
        shapes[functools.reduce(lambda n, new: n.replace(new, old[new]), old, name)] = tensor.shape
    torch.save(drawn(shapes), folder / "pytorch_model.bin")
    config.save_pretrained(folder)
    told: dict[str, Any] = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1}
    told |= {"do_normalize": normalise, "return_attention_mask": True, "padding_side": "right"}
    told |= {"padding_value": 0.0, "sampling_rate": RATE_HZ}
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
    return folder


@functools.cache
def voices() -> Mapping[str, Audio]:
    """Two speakers of the embedded set for 3 s, and the first of them in noise."""
    clips = {clip.id.rpartition("/")[2]: clip for clip in quick().clips}
    found = {}
    for name in ("slt_market", "awb_weather"):
        audio = resample(read_clip(clips[name]), RATE_HZ)
        found[name] = Audio(audio.samples[:1, : 3 * RATE_HZ].copy(), RATE_HZ)
    x = found["slt_market"].samples
    noise = np.random.default_rng(0).standard_normal(x.shape) * np.sqrt(np.mean(x**2) / 10)
    return {**found, "in noise": Audio((x + noise).astype(np.float32), RATE_HZ)}
