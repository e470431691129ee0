"""Folders of tiny clips and of decodes made by numpy, for laws that go through the command line."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests.conftest import broadband
from tests.support.command_line import call, write_raw

RATE_HZ = 16_000
Decode = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def noisy(snr_db: float) -> Decode:
    """A decode with white noise at a ratio to the clip's own power."""

    def decode(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        level = np.sqrt(np.mean(samples**2)) * 10 ** (-snr_db / 20)
        return np.asarray(samples + level * rng.standard_normal(len(samples)))

    return decode


BAD: Mapping[str, Decode] = {
    "silent": lambda x, rng: np.zeros_like(x), "constant": lambda x, rng: np.full_like(x, 0.25),
    "second half is zeros": lambda x, rng: x * (np.arange(len(x)) < len(x) // 2),
    "ends half-way": lambda x, rng: x[: len(x) // 2],
    "white noise": lambda x, rng: np.sqrt(np.mean(x**2)) * rng.standard_normal(len(x)),
}  # fmt: skip


def write(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    return write_raw(path, samples, rate_hz, subtype="PCM_16")


def references(folder: Path, count: int, *, seconds: float = 1.0, seed: int = 0) -> Path:
    """Clips of noise-like sound, each with a seed of its own."""
    for i in range(count):
        clip = broadband(seconds, RATE_HZ, seed=100 * seed + i)
        write(folder / f"{i:02}.wav", 0.5 * clip.samples[0])
    return folder


def decodes(folder: Path, clips: Path, good: Decode,
            bad: Mapping[int, Decode | None] | None = None) -> Path:  # fmt: skip
    """Decodes of all clips by `good`; some by another way, None: the file is missing."""
    for i, path in enumerate(sorted(clips.glob("*.wav"))):
        decode = (bad or {}).get(i, good)
        if decode is not None:
            samples, rate_hz = soundfile.read(path)
            write(folder / path.name, decode(samples, np.random.default_rng(i)), rate_hz)
    return folder


def score_files(
    clips: Path, degraded: Path, run: Path, *, name: str = "codec", metrics: str = "",
    **options: str,
) -> int:  # fmt: skip
    """Score a folder of decodes; the exit code."""
    arguments = ["--reference", clips, "--degraded", degraded, "--name", name, "-o", run]
    arguments += ["--metrics", metrics] if metrics else []
    arguments += [part for key, value in options.items() for part in (f"--{key}", value)]
    return int(call("score-files", *arguments, "--jobs", "1").return_value)


def rows(run: Path, kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / f"{kind}.jsonl").read_text().splitlines()]


def means(*runs: Path, options: tuple[str, ...] = ()) -> dict[str, dict[str, float | None]]:
    """Means as ``table --format json`` gives them over all clips: codec -> metric -> value."""
    done = call("table", *runs, "--by", "all", "--format", "json", *options)
    (table,) = json.loads(done.stdout)["tables"]
    cells = {row["codec"]: row["cells"].items() for row in table["rows"]}
    return {codec: {key: cell["value"] for key, cell in of} for codec, of in cells.items()}
