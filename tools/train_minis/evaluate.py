"""Measure a saved model on held-out clips through the official class's own encode and decode."""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pystoi import stoi
from torch import Tensor, nn

from tools.train_minis.data import read_mono
from tools.train_minis.export import load_model
from tools.train_minis.losses import mel_distance, si_sdr_db
from tools.train_minis.models import SAMPLE_RATE_HZ, Net, stages_of
from tools.train_minis.quantize import entropy_bits

DECODER_SEED = 0


def encode(model: Net, family: str, audio: Tensor) -> list[Tensor]:
    """Return one (batch, frames) index tensor per codebook for audio of shape (batch, 1, time)."""
    if family == "snac":
        return list(model.encode(audio))
    if family == "dac":
        padded = model.preprocess(audio, SAMPLE_RATE_HZ)
        return list(model.encode(padded, n_quantizers=model.n_codebooks)[1].unbind(1))
    model.set_target_bandwidth(max(model.target_bandwidths))
    return list(model.encode(audio)[0][0].unbind(1))


def decode(model: Net, family: str, codes: list[Tensor], num_samples: int) -> Tensor:
    """Decode the first `len(codes)` codebooks to exactly `num_samples`, shape (batch, time)."""
    torch.manual_seed(DECODER_SEED)  # SNAC's decoder draws noise
    if family == "snac" and len(codes) == model.n_codebooks:
        audio = model.decode(codes)
    elif family == "snac":  # the official decode insists on all levels
        stages = stages_of(model, family)
        latents = [s.expand(s.module.decode_code(c)) for s, c in zip(stages, codes, strict=False)]
        audio = model.decoder(sum(latents))
    elif family == "dac":
        audio = model.decode(model.quantizer.from_codes(torch.stack(codes, dim=1))[0])
    else:
        audio = model.decode([(torch.stack(codes, dim=1), None)])
    missing = max(0, num_samples - audio.shape[-1])
    return nn.functional.pad(audio[:, 0, :num_samples], (0, missing))


@torch.inference_mode()
def evaluate(
    folder: Path, manifest: Path, *, depths: Sequence[int] | None = None
) -> dict[str, Any]:
    """Score the model in `folder` on every clip of a manifest.

    Parameters
    ----------
    depths : sequence of int, optional
        How many codebooks to decode; by default every number there is.

    Returns
    -------
    dict
        `scores[depth][domain]`: means of si_sdr_db, mel_distance and (speech) stoi, with n;
        `entropy_bits`, `efficiency` and `tokens` by codebook over the whole manifest;
        `real_time`: encoding and decoding speed, times real time on one thread.
    """
    model, config = load_model(folder)
    family, streams = config["family"], defaultdict(list)
    values: dict[tuple[int, str, str], list[float]] = defaultdict(list)
    with manifest.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        audio = torch.from_numpy(read_mono(manifest.parent / row["path"]))[None]
        codes = encode(model, family, audio[None])
        for level, indices in enumerate(codes):
            streams[level].append(indices.numpy().ravel())
        for depth in depths or range(1, len(codes) + 1):
            decoded = decode(model, family, codes[:depth], audio.shape[-1])
            for metric, value in _scores(audio, decoded, row["domain"]).items():
                values[depth, row["domain"], metric].append(value)
    entropies = [entropy_bits(np.concatenate(s), config["codebook_size"]) for s in streams.values()]
    bits = float(np.log2(config["codebook_size"]))
    return {
        "scores": _means(values),
        "entropy_bits": [round(e, 3) for e in entropies],
        "efficiency": [round(e / bits, 3) for e in entropies],
        "tokens": [sum(map(len, s)) for s in streams.values()],
        "real_time": _speed(model, family),
    }


def _scores(reference: Tensor, degraded: Tensor, domain: str) -> dict[str, float]:
    scores = {
        "si_sdr_db": float(si_sdr_db(reference, degraded)),
        "mel_distance": float(mel_distance(reference, degraded)),
    }
    if domain == "speech":
        scores["stoi"] = float(stoi(reference[0].numpy(), degraded[0].numpy(), SAMPLE_RATE_HZ))
    return scores


def _means(
    values: dict[tuple[int, str, str], list[float]],
) -> dict[int, dict[str, dict[str, float]]]:
    """Average over clips, per depth and domain; "all" pools the clips of every domain."""
    table: dict[int, dict[str, dict[str, float]]] = {}
    for depth in sorted({k for k, _, _ in values}):
        here = {(d, m): v for (k, d, m), v in values.items() if k == depth}
        by_domain: dict[str, dict[str, float]] = defaultdict(dict)
        for (domain, metric), clips in here.items():
            by_domain[domain][metric] = round(float(np.mean(clips)), 4)
            by_domain[domain]["n"] = len(clips)
        for metric in ("si_sdr_db", "mel_distance"):
            pooled = [v for (_, m), clips in here.items() if m == metric for v in clips]
            by_domain["all"][metric] = round(float(np.mean(pooled)), 4)
            by_domain["all"]["n"] = len(pooled)
        table[depth] = dict(by_domain)
    return table


def _speed(model: Net, family: str, *, duration_s: int = 8) -> dict[str, float]:
    """Time encoding and decoding of noise; the best of three after a warm-up."""
    num_samples = duration_s * SAMPLE_RATE_HZ
    audio = 0.1 * torch.randn(1, 1, num_samples, generator=torch.Generator().manual_seed(0))
    codes = encode(model, family, audio)
    encode_s, decode_s = [], []
    for _ in range(4):
        start_s = time.perf_counter()
        encode(model, family, audio)
        middle_s = time.perf_counter()
        decode(model, family, codes, num_samples)
        encode_s.append(middle_s - start_s)
        decode_s.append(time.perf_counter() - middle_s)
    return {
        "encode": round(duration_s / min(encode_s[1:]), 1),
        "decode": round(duration_s / min(decode_s[1:]), 1),
    }


def _measured(results: dict[str, Any]) -> str:
    depths = list(results["scores"])
    if depths == list(range(1, max(depths) + 1)):
        return ""
    return f"(measured at {', '.join(map(str, depths))}) "


def targets(results: dict[str, Any], family: str) -> dict[str, bool]:
    """Say which of the quality targets are met."""
    mel = [depth["all"]["mel_distance"] for depth in results["scores"].values()]
    top = results["scores"][max(results["scores"])]["speech"]
    met = {
        f"every added codebook {_measured(results)}lowers the mean mel distance": bool(
            np.all(np.diff(mel) < 0)
        ),
        "STOI above 0.8 on speech at the top rate": top["stoi"] > 0.8,
        "efficiency of every codebook above 0.6": min(results["efficiency"]) > 0.6,
    }
    if family != "snac":
        met["mean SI-SDR above 3 dB on speech at the top rate"] = top["si_sdr_db"] > 3
    return met
