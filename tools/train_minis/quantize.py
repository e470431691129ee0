"""Residual codebooks: k-means fits, quantisation, and the noise that stands in for it.

DAC and SNAC look codes up by direction (both sides are normalised to unit length) in a space of
eight dimensions. Direction alone cannot tell a small residual from a large one, which a deep
residual ladder needs. So one dimension is *lifted*: its projection is a constant, much larger than
the other seven. Near that pole of the sphere, the direction of (u, lift) is u / lift, and the
official nearest-direction lookup becomes nearest-neighbour search among the seven, which is what
k-means optimises. The codebooks stay ordinary DAC and SNAC codebooks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tools.train_minis.models import Stage, init_projections

LIFT_RATIO = 8.0
ITERATIONS = 12


@torch.no_grad()
def kmeans(vectors: Tensor, num_codes: int, *, iterations: int, seed: int) -> Tensor:
    """Fit `num_codes` centroids to (N, d) vectors by Lloyd's algorithm.

    Codes that nothing is assigned to move to random vectors, so that every code gets used.
    """
    generator = torch.Generator().manual_seed(seed)

    def random_vectors(count: int) -> Tensor:
        return vectors[torch.randint(len(vectors), (count,), generator=generator)]

    order = torch.randperm(len(vectors), generator=generator)[:num_codes]
    codes = torch.cat([vectors[order], random_vectors(num_codes - len(order))])
    for _ in range(iterations):
        nearest = assign(vectors, codes)
        counts = torch.bincount(nearest, minlength=num_codes)
        sums = torch.zeros_like(codes).index_add_(0, nearest, vectors)
        means = sums / counts.clamp(min=1)[:, None]
        codes = torch.where((counts > 0)[:, None], means, random_vectors(num_codes))
    return codes


def assign(vectors: Tensor, codes: Tensor, *, chunk: int = 16_384) -> Tensor:
    """Return the index of the nearest code for every vector."""
    squares = codes.square().sum(1)
    parts = [(squares - 2 * part @ codes.T).argmin(1) for part in vectors.split(chunk)]
    return torch.cat(parts)


def principal_basis(vectors: Tensor, rank: int) -> Tensor:
    """Return the `rank` directions of largest variance of (N, d) vectors, shape (rank, d)."""
    centred = vectors - vectors.mean(0)
    _, basis = torch.linalg.eigh(centred.T @ centred)
    return basis.flip(1)[:, :rank].T.contiguous()


@torch.no_grad()
def fit_codebooks(
    stages: Sequence[Stage],
    latents: Tensor,
    *,
    seed: int,
    fit_projections: bool = False,
) -> None:
    """Fit all codebooks in order, each to what the earlier ones leave of `latents`.

    Parameters
    ----------
    stages : sequence of Stage
        Changed in place.
    latents : Tensor of shape (segments, latent, frames)
        Encoder output; the number of frames is a multiple of the largest stride.
    fit_projections : bool
        Give each factorised stage the principal directions of its residual first.
    """
    residual = latents.clone()
    for index, stage in enumerate(stages):
        if fit_projections and stage.factorised:
            frames = residual.transpose(1, 2).reshape(-1, residual.shape[1])
            rank = stage.module.in_proj.out_channels - 1
            init_projections(stage, principal_basis(frames, rank))
        _fit_stage(stage, residual, seed=seed + index)
        residual = residual - stage.expand(stage.lookup(stage.project(residual))[0])


def _fit_stage(stage: Stage, residual: Tensor, *, seed: int) -> None:
    projected, num_codes = stage.project(residual), len(stage.codebook)
    vectors = projected.transpose(1, 2).reshape(-1, projected.shape[1])
    if not stage.factorised:
        stage.codebook.copy_(kmeans(vectors, num_codes, iterations=ITERATIONS, seed=seed))
        return
    plane = vectors[:, :-1]
    codes = kmeans(plane, num_codes, iterations=ITERATIONS, seed=seed)
    # A power of two, so that half precision rounds neither the bias nor the codebook column.
    radius = float(plane.square().sum(1).mean().sqrt())
    lift = 2.0 ** round(math.log2(max(LIFT_RATIO * radius, 1e-3)))
    stage.module.in_proj.bias[-1] = lift
    stage.codebook.copy_(torch.cat([codes, torch.full((len(codes), 1), lift)], dim=1))


def quantize(
    stages: Sequence[Stage], latent: Tensor, depths: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Quantise item i of a batch by its first `depths[i]` codebooks.

    Returns
    -------
    quantised : Tensor of shape (batch, latent, frames)
    indices : list of Tensor, one per codebook used
    """
    residual, quantised, indices = latent, torch.zeros_like(latent), []
    for level, stage in enumerate(stages[: int(depths.max())]):
        vectors, chosen = stage.lookup(stage.project(residual))
        contribution = stage.expand(vectors)
        residual = residual - contribution
        quantised = quantised + contribution * (depths > level)[:, None, None]
        indices.append(chosen)
    return quantised, indices


def add_noise(values: Tensor, relative: Tensor, generator: torch.Generator) -> Tensor:
    """Add white noise of `relative` (per item) times the overall standard deviation of `values`."""
    centred = values - values.mean(dim=(0, 2), keepdim=True)
    noise = torch.randn(values.shape, generator=generator)
    return values + noise * relative[:, None, None] * centred.square().mean().sqrt()


def soft_bottleneck(
    stages: Sequence[Stage], latent: Tensor, generator: torch.Generator, *, project: bool
) -> Tensor:
    """Stand in for the quantiser before codebooks exist: noise in place of quantisation error.

    With `project`, the latent passes the stages' projections (SNAC, whose latent is far wider than
    its code spaces); otherwise the latent itself is the bottleneck.
    """
    relative = 10 ** (-1.0 + 0.8 * torch.rand(latent.shape[0], generator=generator))
    if not project:
        return add_noise(latent, relative, generator)
    residual, total = latent, torch.zeros_like(latent)
    for stage in stages:
        contribution = stage.expand(add_noise(stage.project(residual), relative, generator))
        residual, total = residual - contribution, total + contribution
    return total


def entropy_bits(indices: np.ndarray, num_codes: int) -> float:
    """Return the entropy of a code stream in bits, Miller-Madow corrected and at most log2 K."""
    counts = np.bincount(indices.ravel(), minlength=num_codes)
    probabilities = counts[counts > 0] / counts.sum()
    plug_in = float(-(probabilities * np.log2(probabilities)).sum())
    correction = (len(probabilities) - 1) / (2 * counts.sum() * math.log(2))
    return float(min(plug_in + correction, math.log2(num_codes)))
