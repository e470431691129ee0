"""Train one model, save it, measure it and write its card.

Example::

    python -m tools.train_minis snac-mini --audio train/ --eval eval/manifest.csv --out weights/
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tools.train_minis.card import summarise_sources, write_card
from tools.train_minis.data import load_corpus
from tools.train_minis.evaluate import evaluate
from tools.train_minis.export import config_of, save_model
from tools.train_minis.models import ARCHITECTURES
from tools.train_minis.train import (
    Journal,
    Options,
    Run,
    json_lines,
    start_or_resume,
    steps_of_minutes,
    train,
)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.train_minis", description=__doc__)
    parser.add_argument("name", choices=sorted(ARCHITECTURES))
    parser.add_argument(
        "--audio", type=Path, required=True, help="folder with <domain>/*.flac and manifest.csv"
    )
    parser.add_argument("--eval", type=Path, required=True, help="manifest.csv of held-out clips")
    parser.add_argument("--out", type=Path, required=True, help="folder for the finished model")
    parser.add_argument(
        "--minutes",
        type=float,
        default=40.0,
        help="nominal minutes; sets a number of steps, so the machine's speed changes nothing",
    )
    parser.add_argument(
        "--steps",
        type=int,
        nargs=3,
        metavar=("AUTOENCODER", "REFINE", "DECODER"),
        help="steps of the three stages, instead of --minutes; REFINE 0 leaves that stage out",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--state", type=Path, help="folder for checkpoint and log (default: OUT-state)"
    )
    parser.add_argument(
        "--depths", type=int, nargs="+", help="numbers of codebooks to measure (default: all)"
    )
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(arguments)


def training_facts(run: Run) -> dict[str, Any]:
    """Return what the config and the card say about the training."""
    return {
        "seed": run.options.seed,
        "cpu_minutes": round(run.cpu_s / 60, 1),
        "stages": [asdict(plan) for plan in run.options.plans],
    }


def main(arguments: list[str] | None = None) -> None:
    """Train (or resume), export, evaluate, write the card."""
    args = parse_arguments(arguments)
    torch.set_num_threads(args.threads)
    state = args.state or args.out.with_name(args.out.name + "-state")
    checkpoint = state / "checkpoint.pt"
    corpus = load_corpus(args.audio)
    steps = tuple(args.steps or steps_of_minutes(args.name, args.minutes))
    run = start_or_resume(Options(args.name, steps, args.seed), corpus, checkpoint)

    def save(finished: Run, _stage: str) -> None:
        save_model(args.out, finished.model, config_of(args.name, training_facts(finished)))

    train(run, corpus, Journal(checkpoint, json_lines(state / "log.jsonl")), on_stage_end=save)
    config = config_of(args.name, training_facts(run))
    save_model(args.out, run.model, config)
    results = evaluate(args.out, args.eval, depths=args.depths)
    (state / "results.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    sources = summarise_sources(args.audio / "manifest.csv")
    write_card(args.out / "CARD.md", config, results, sources)


if __name__ == "__main__":
    main()
