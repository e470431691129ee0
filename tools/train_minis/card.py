"""`CARD.md`: what a model is, what it was trained on, what it reaches and what it is not for."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

from tools.train_minis.evaluate import targets

CLASSES = {
    "snac": ("SNAC", "`snac.SNAC`", "snac 1.2.1"),
    "dac": ("DAC", "`dac.DAC`", "descript-audio-codec 1.0.0"),
    "encodec": ("EnCodec", "`encodec.EncodecModel`", "encodec 0.1.1"),
}

ARCHITECTURE_NOTES = {
    "snac": (
        "Three temporal levels (strides 4, 2, 1) on a hop of {hop} samples: shorter than the "
        "published 512, because three codebooks of 10 bit must carry all of it. Depthwise "
        "convolutions, no attention, noise blocks in the decoder: decoding is stochastic and must "
        "be seeded, as with the published models. Input is padded to a multiple of four hops. "
        "Shallower depths than three were drawn for one item in five in training."
    ),
    "dac": (
        "Residual ladder of {n} codebooks on a hop of {hop} samples, factorised to eight "
        "dimensions, trained at random depth. Output is 8 samples shorter than the padded input, "
        "as with the published 24 kHz model; it is aligned with its start (no delay)."
    ),
    "encodec": (
        "Causal SEANet with weight norm and without LSTM, residual ladder of {n} codebooks on a "
        "hop of {hop} samples, trained at random depth. Input level is not normalised. The "
        "running-average buffers (`cluster_size`, `embed_avg`) are placeholders: they are of no "
        "use after training."
    ),
}

POLARITY_WARNING = (
    "\nPolarity was not varied in training: turning a clip's polarity round changes its SI-SDR, by "
    "several decibels on voices like that of the main training speaker."
)

LIFT_NOTE = (
    "One of the eight code dimensions is a constant (only the bias of `in_proj` speaks there), so "
    "that the class's lookup by direction finds the nearest code in the other seven."
)


def write_card(
    target: Path, config: dict[str, Any], results: dict[str, Any], sources: list[list[str]]
) -> None:
    """Write the card of one model."""
    family = config["family"]
    title, class_name, package = CLASSES[family]
    facts = {"hop": config["hop"], "n": config["num_codebooks"]}
    sections = [
        f"# {config['name']}",
        f"**A demonstration model, not a published {title}.** It lets the benchmark run end to end "
        f"without downloads, through the official {class_name} class (package `{package}`) at "
        f"reduced width. Its quality says nothing about {title}. 24 kHz, mono, MIT licence.",
        "## Architecture",
        ARCHITECTURE_NOTES[family].format(**facts)
        + ("" if family == "encodec" else "\n" + LIFT_NOTE),
        _rates(config),
        "## Training data",
        "Shares of a batch: half speech, three tenths music, two tenths environment. Nothing of "
        "the evaluation clips was used. Attribution for the CC-BY sources is hereby given.",
        _table(["domain", "source", "licence", "minutes"], sources),
        "## Training",
        _training(config["training"]),
        "## Measured quality",
        "Half-precision weights as stored, official encode and decode, against the input at "
        "24 kHz mono. SI-SDR in dB and STOI: higher is better. Mel: the DAC paper's seven-scale "
        "log10 distance, summed; lower is better. Means over clips.",
        _quality(config, results),
        _efficiency(results),
        "## Targets",
        _targets(results, family),
        "## Limits",
        "Trained for minutes on about an hour of audio, without adversarial loss: expect "
        "muffled, noisy reconstructions, worst on music and on sounds unlike the training data, "
        "and no robustness to level: clips far below -40 dBFS suffer. Do not cite its scores as "
        f"those of {title}, and do not use it to transmit anything that matters.",
    ]
    target.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def summarise_sources(manifest: Path) -> list[list[str]]:
    """Return (domain, source, licence, minutes) rows of a training manifest."""
    minutes: dict[tuple[str, str, str], float] = defaultdict(float)
    with manifest.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            key = (row["domain"], row["source_package"], row["licence"])
            minutes[key] += float(row["duration_s"]) / 60
    return [[*key, f"{value:.1f}"] for key, value in sorted(minutes.items())]


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _rates(config: dict[str, Any]) -> str:
    rates = ", ".join(f"{rate:g}" for rate in config["codebook_rates_hz"])
    ladder = ", ".join(f"{kbps:g}" for kbps in config["bitrate_ladder_kbps"])
    return (
        f"Codebooks of {config['codebook_size']} entries at {rates} Hz.\n"
        f"Nominal rate of the first 1, 2, ... codebooks: {ladder} kbps."
    )


STAGE_NOTES = {
    "autoencoder": "unit-variance initialisation from a batch, then encoder and decoder with noise "
    "in place of quantisation error",
    "refine": "the same with segments of random polarity",
    "decoder": "encoder frozen, residual codebooks by k-means on its latents, then the decoder "
    "alone on quantised latents of random depth",
}


def _training(training: dict[str, Any]) -> str:
    stages = "\n".join(
        f"- *{plan['name']}*: {STAGE_NOTES[plan['name']]}; {plan['steps']} steps of "
        f"{plan['batch_size']} segments of {plan['num_samples']} samples."
        for plan in training["stages"]
    )
    polarity = "" if any(plan["flip"] for plan in training["stages"]) else POLARITY_WARNING
    steps = {plan["name"]: plan["steps"] for plan in training["stages"]}
    options = " ".join(str(steps.get(name, 0)) for name in STAGE_NOTES)
    return (
        f"{stages}\n\n"
        "Loss: waveform SDR plus three-scale spectral convergence and log mel distance. Adam, "
        f"cosine decay, seed {training['seed']}. "
        f"Cost: {training['cpu_minutes']:.0f} CPU-minutes on one thread.\n"
        f"Reproduce with `python -m tools.train_minis` and `--steps {options}`.{polarity}"
    )


def _quality(config: dict[str, Any], results: dict[str, Any]) -> str:
    rows = []
    shown = (1, 2, 4, 8, 12, 16) if config["num_codebooks"] > 3 else (1, 2, 3)
    for depth, by_domain in results["scores"].items():
        if depth not in shown:
            continue
        for domain in [d for d in by_domain if d != "all"] + ["all"]:
            scores = by_domain[domain]
            rows.append(
                [
                    str(depth),
                    f"{config['bitrate_ladder_kbps'][depth - 1]:g}",
                    domain,
                    str(scores["n"]),
                    f"{scores['si_sdr_db']:.2f}",
                    f"{scores['mel_distance']:.3f}",
                    f"{scores['stoi']:.3f}" if "stoi" in scores else "",
                ]
            )
    return _table(["codebooks", "kbps", "domain", "clips", "SI-SDR", "mel", "STOI"], rows)


def _efficiency(results: dict[str, Any]) -> str:
    values = ", ".join(f"{value:.2f}" for value in results["efficiency"])
    speed, tokens = results["real_time"], results["tokens"]
    return (
        "Efficiency of the codebooks (entropy over the whole set, Miller-Madow corrected, divided "
        f"by log2 of its size): {values}; from {min(tokens)} to {max(tokens)} tokens "
        "each.\nSpeed on one CPU thread, times real time: "
        f"encoding {speed['encode']:.0f}, decoding {speed['decode']:.0f}."
    )


def _targets(results: dict[str, Any], family: str) -> str:
    met = targets(results, family)
    return "\n".join(f"- {text}: {'met' if ok else '**missed**'}" for text, ok in met.items())
