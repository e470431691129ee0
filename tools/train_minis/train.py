"""The training stages, checkpointed so that an interrupted run continues as if it had not been.

1. autoencoder: encoder and decoder (and SNAC's projections), with noise in place of quantisation
   error;
2. refine: the same with random polarity. Speech is asymmetric, and a model that has only heard
   one recording chain loses several decibels when a microphone is wired the other way round;
3. decoder: the encoder is frozen, codebooks come from k-means on its latents, and the decoder
   learns to make the most of them at random depth, on longer segments.

All randomness of a step derives from (seed, stage, step): a resumed run draws the same segments.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tools.train_minis.data import Corpus, draw_batch, held_out_batch
from tools.train_minis.losses import reconstruction_loss, si_sdr_db
from tools.train_minis.models import ARCHITECTURES, Net, build, guard_lift, initialise, stages_of
from tools.train_minis.quantize import entropy_bits, fit_codebooks, quantize, soft_bottleneck

#: Steps of a nominal minute (one thread of a 2024 server core), so that a budget given in minutes
#: is a number of steps and the result does not depend on the machine's speed.
STEPS_PER_MINUTE = {"snac": 110, "dac": 130, "encodec": 260}
STAGE_SHARES = (0.2, 0.5, 0.3)


def steps_of_minutes(name: str, minutes: float) -> tuple[int, ...]:
    """Return the steps of the three stages for a nominal budget in minutes."""
    total = minutes * STEPS_PER_MINUTE[ARCHITECTURES[name]["family"]]
    return tuple(max(1, round(total * share)) for share in STAGE_SHARES)


@dataclass(frozen=True)
class StagePlan:
    """One training stage: how long, how fast, on what."""

    name: str
    steps: int
    batch_size: int
    num_samples: int
    peak_rate: float
    final_rate: float
    flip: bool


@dataclass(frozen=True)
class Options:
    """What decides the result of a run, together with the audio."""

    name: str
    steps: tuple[int, ...]
    seed: int = 0
    fit_segments: int = 800
    checkpoint_every: int = 400

    @property
    def plans(self) -> list[StagePlan]:
        """The stages that have steps; without `refine`, polarity is never flipped."""
        autoencoder, refine, decoder = self.steps
        flip = refine > 0
        plans = [
            StagePlan("autoencoder", autoencoder, 8, 6400, 1e-3, 4e-4, flip=False),
            StagePlan("refine", refine, 8, 6400, 1e-3, 1e-4, flip=flip),
            StagePlan("decoder", decoder, 8, 8960, 6e-4, 1e-5, flip=flip),
        ]
        return [plan for plan in plans if plan.steps]


@dataclass
class Run:
    """A model on its way: everything that a checkpoint holds."""

    options: Options
    model: Net
    stage_index: int = 0
    step: int = 0
    cpu_s: float = 0.0
    optimiser_state: dict[str, Any] | None = None

    @property
    def family(self) -> str:
        """The family of the architecture."""
        return str(ARCHITECTURES[self.options.name]["family"])


@dataclass(frozen=True)
class Journal:
    """Where a run leaves its traces: the checkpoint, and a callable that takes one log line."""

    checkpoint: Path
    log: Callable[[dict[str, Any]], None]


def start_or_resume(options: Options, corpus: Corpus, checkpoint: Path) -> Run:
    """Load `checkpoint` if it exists, else build and initialise the model."""
    architecture = ARCHITECTURES[options.name]
    torch.manual_seed(options.seed)
    model = build(architecture["family"], architecture["model"], name=options.name)
    run = Run(options, model)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["options"] != asdict(options):
            raise ValueError(
                f"{checkpoint} was made with {state['options']}, not {asdict(options)}: "
                "give the same options, or another state folder"
            )
        model.load_state_dict(state["model"])
        run.stage_index, run.step, run.cpu_s = state["stage_index"], state["step"], state["cpu_s"]
        run.optimiser_state = state["optimiser"]
        return run
    rng, first = np.random.default_rng(options.seed), options.plans[0]
    audio = draw_batch(corpus.train, rng, size=first.batch_size, num_samples=first.num_samples)
    initialise(model, run.family, audio)
    return run


def save_checkpoint(run: Run, optimiser: torch.optim.Optimizer | None, checkpoint: Path) -> None:
    """Write the state of `run`; an interruption leaves the previous checkpoint whole."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    temporary = checkpoint.with_suffix(".partial")
    state = {
        "options": asdict(run.options),
        "model": run.model.state_dict(),
        "stage_index": run.stage_index,
        "step": run.step,
        "cpu_s": run.cpu_s,
        "optimiser": None if optimiser is None else optimiser.state_dict(),
    }
    torch.save(state, temporary)
    temporary.replace(checkpoint)


def train(
    run: Run,
    corpus: Corpus,
    journal: Journal,
    *,
    on_stage_end: Callable[[Run, str], None] | None = None,
    stop_after: int | None = None,
) -> Run:
    """Run the remaining stages; `stop_after` steps end it early, as an interruption would."""
    plans = run.options.plans
    remaining = math.inf if stop_after is None else stop_after
    while run.stage_index < len(plans):
        plan = plans[run.stage_index]
        remaining -= _run_stage(run, plan, corpus, journal, remaining)
        if run.step < plan.steps:
            return run
        if on_stage_end is not None:
            on_stage_end(run, plan.name)
        run.stage_index, run.step, run.optimiser_state = run.stage_index + 1, 0, None
        save_checkpoint(run, None, journal.checkpoint)
    return run


def _run_stage(run: Run, plan: StagePlan, corpus: Corpus, journal: Journal, limit: float) -> int:
    """Train one stage from `run.step` on; return the number of steps taken."""
    options, started_s = run.options, time.process_time() - run.cpu_s
    guard_lift(stages_of(run.model, run.family))
    parameters = _trainable(run.model, plan.name)
    optimiser = torch.optim.Adam(parameters, lr=plan.peak_rate, betas=(0.9, 0.99))
    if run.optimiser_state is not None:
        optimiser.load_state_dict(run.optimiser_state)
    scores: list[float] = []
    taken = 0
    while run.step < plan.steps and taken < limit:
        seeds = (options.seed, run.stage_index, run.step)
        if plan.name == "decoder" and run.step == 0:
            fit(run, corpus, np.random.default_rng(seeds), flip=plan.flip)
        scores.append(_step(run, plan, corpus, optimiser, seeds))
        run.step, taken = run.step + 1, taken + 1
        run.cpu_s = time.process_time() - started_s
        if run.step % options.checkpoint_every == 0 or run.step == plan.steps:
            save_checkpoint(run, optimiser, journal.checkpoint)
            line = {"stage": plan.name, "step": run.step, "cpu_min": round(run.cpu_s / 60, 2)}
            journal.log(
                line | {"sdr_db": round(float(np.mean(scores)), 2)} | held_out_scores(run, corpus)
            )
            scores.clear()
    return taken


def _trainable(model: Net, stage: str) -> list[nn.Parameter]:
    trained = model.decoder if stage == "decoder" else model
    return [p for p in trained.parameters() if p.requires_grad]


def _step(
    run: Run,
    plan: StagePlan,
    corpus: Corpus,
    optimiser: torch.optim.Optimizer,
    seeds: tuple[int, int, int],
) -> float:
    """Take one optimiser step; return the SDR of the batch in dB."""
    rng = np.random.default_rng(seeds)
    torch.manual_seed(int(rng.integers(2**31)))  # the noise of SNAC's decoder
    audio = draw_batch(
        corpus.train, rng, size=plan.batch_size, num_samples=plan.num_samples, flip=plan.flip
    )
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(plan, run.step)
    decoded = _forward(run, plan, audio, rng)
    num_samples = min(audio.shape[-1], decoded.shape[-1])
    loss, sdr = reconstruction_loss(audio[:, 0, :num_samples], decoded[:, 0, :num_samples])
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], 5.0)
    optimiser.step()
    return sdr


def learning_rate(plan: StagePlan, step: int) -> float:
    """Return the rate of a step: 100 steps of warm-up, then half a cosine."""
    warm_up = min(1.0, (step + 1) / 100)
    cosine = 0.5 * (1 + math.cos(math.pi * step / plan.steps))
    return warm_up * (plan.final_rate + (plan.peak_rate - plan.final_rate) * cosine)


def _forward(run: Run, plan: StagePlan, audio: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the decoded batch, through the bottleneck of the stage."""
    model, stages = run.model, stages_of(run.model, run.family)
    if plan.name != "decoder":
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        latent = soft_bottleneck(
            stages, model.encoder(audio), generator, project=run.family == "snac"
        )
        return model.decoder(latent)
    with torch.no_grad():
        depths = draw_depths(rng, len(stages), len(audio))
        quantised, _ = quantize(stages, model.encoder(audio), depths)
    return model.decoder(quantised)


def draw_depths(rng: np.random.Generator, num_codebooks: int, count: int) -> Tensor:
    """Draw how many codebooks every item uses.

    A deep ladder is trained at all depths, shallow ones a little more often (log-uniform). A
    ladder of temporal levels (three codebooks) is meant to be used whole: it is cut for one item
    in five only.
    """
    if num_codebooks <= 3:
        depths = np.where(
            rng.random(count) < 0.2, rng.integers(1, num_codebooks + 1, count), num_codebooks
        )
    else:
        depths = np.floor(np.exp(rng.uniform(0, math.log(num_codebooks + 1), count)))
        depths = np.where(rng.random(count) < 0.25, num_codebooks, depths)
    return torch.from_numpy(np.clip(depths, 1, num_codebooks).astype(np.int64))


def fit(run: Run, corpus: Corpus, rng: np.random.Generator, *, flip: bool) -> None:
    """Fit the codebooks (and DAC's projections) to latents of the training audio."""
    latents = collect_latents(run.model, corpus, rng, segments=run.options.fit_segments, flip=flip)
    fit_codebooks(
        stages_of(run.model, run.family),
        latents,
        seed=run.options.seed,
        fit_projections=run.family == "dac",
    )


@torch.no_grad()
def collect_latents(
    model: Net, corpus: Corpus, rng: np.random.Generator, *, segments: int, flip: bool
) -> Tensor:
    """Return encoder output of random 0.53 s segments, shape (segments, latent, frames)."""
    parts = []
    for size in _split(segments, 20):
        audio = draw_batch(corpus.train, rng, size=size, num_samples=12_800, flip=flip)
        parts.append(model.encoder(audio))
    return torch.cat(parts)


def _split(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)


@torch.no_grad()
def held_out_scores(run: Run, corpus: Corpus) -> dict[str, Any]:
    """Score held-out excerpts: SI-SDR in dB by depth, codes in use and entropy by codebook."""
    audio = held_out_batch(corpus)
    stages, model = stages_of(run.model, run.family), run.model
    latent = model.encoder(audio)
    if run.options.plans[run.stage_index].name != "decoder":
        generator = torch.Generator().manual_seed(0)
        noisy = soft_bottleneck(stages, latent, generator, project=run.family == "snac")
        return {"si_sdr_noisy": _mean_si_sdr(audio, model.decoder(noisy))}
    scores: dict[str, Any] = {}
    indices: list[Tensor] = []
    for depth in sorted({1, 2, len(stages) // 4, len(stages) // 2, len(stages)} - {0}):
        depths = torch.full((len(audio),), depth)
        quantised, indices = quantize(stages, latent, depths)
        scores[f"si_sdr_{depth}"] = _mean_si_sdr(audio, model.decoder(quantised))
    streams = [index.numpy() for index in indices]
    num_codes = len(stages[0].codebook)
    scores["codes_used"] = [len(np.unique(s)) for s in streams]
    scores["entropy_bits"] = [round(entropy_bits(s, num_codes), 2) for s in streams]
    return scores


def _mean_si_sdr(audio: Tensor, decoded: Tensor) -> float:
    num_samples = min(decoded.shape[-1], audio.shape[-1])
    values = si_sdr_db(audio[:, 0, :num_samples], decoded[:, 0, :num_samples])
    return round(float(values.mean()), 2)


def json_lines(path: Path) -> Callable[[dict[str, Any]], None]:
    """Return a logger that appends one JSON object a line."""

    def log(line: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    return log
