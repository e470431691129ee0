"""A trained model on disk: `config.json` and half-precision `model.safetensors`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tools.train_minis.models import (
    ARCHITECTURES,
    SAMPLE_RATE_HZ,
    Net,
    build,
    codebook_size,
    ladder_kbps,
    stage_rates_hz,
    stages_of,
)

MAX_BYTES = 4_000_000


def config_of(name: str, training: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `config.json`: how to build the model and what its rates are."""
    architecture = ARCHITECTURES[name]
    return {
        "name": name,
        "version": 1,
        "family": architecture["family"],
        "sample_rate": SAMPLE_RATE_HZ,
        "channels": 1,
        "model": architecture["model"],
        "hop": architecture["hop"],
        "codebook_size": codebook_size(architecture),
        "num_codebooks": architecture["num_codebooks"],
        "codebook_rates_hz": stage_rates_hz(architecture),
        "bitrate_ladder_kbps": ladder_kbps(architecture),
        "weights_dtype": "float16",
        "licence": "MIT",
        "training": training,
    }


def save_model(folder: Path, model: Net, config: dict[str, Any]) -> int:
    """Write `config.json` and `model.safetensors`; return the size of the latter in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    if config["family"] == "encodec":
        _settle_encodec_buffers(model)
    state = {}
    for key, value in model.state_dict().items():
        half = value.detach().to(torch.float16).contiguous()
        if not torch.isfinite(half).all():
            raise ValueError(
                f"{key} is not finite in half precision: train again, or at a lower rate"
            )
        state[key] = half
    target = folder / "model.safetensors"
    save_file(state, target, metadata={"name": config["name"], "licence": config["licence"]})
    target.chmod(0o644)
    size = target.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(
            f"{target.name} has {size} bytes, at most {MAX_BYTES} fit: narrow the model"
        )
    text = json.dumps(config, indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    return size


def _settle_encodec_buffers(model: Net) -> None:
    """Give the running averages of EnCodec's codebooks, unused after training, sane values."""
    for stage in stages_of(model, "encodec"):
        stage.module.inited.fill_(1)
        stage.module.cluster_size.fill_(1)
        stage.module.embed_avg.copy_(stage.module.embed)


def load_model(folder: Path) -> tuple[Net, dict[str, Any]]:
    """Build the official class from `folder`, load its weights strictly, set it to eval mode."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = build(config["family"], config["model"], name=config["name"])
    state = load_file(folder / "model.safetensors")
    model.load_state_dict({key: value.float() for key, value in state.items()}, strict=True)
    return model.eval(), config
