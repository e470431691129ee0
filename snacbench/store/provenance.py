"""What a run was made with: packages, machine, and facts that plugins add."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "snacbench", "torch", "torchaudio", "snac", "descript-audio-codec", "encodec",
    "visqol-python", "pesq", "jiwer", "librosa", "av", "ai-edge-litert", "soundfile", "soxr",
    "numpy", "scipy",
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can change a number."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def machine() -> dict[str, str]:
    """The machine: processor, cores, memory, operating system."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    try:
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        memory_bytes = 0
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": next(names, platform.processor() or "unknown"),
        "cores": str(os.cpu_count()),
        "memory_gib": f"{memory_bytes / 2**30:.1f}",
    }


def gpu() -> str:
    """The GPUs and their driver, as ``nvidia-smi`` names them.

    PyTorch would take hundreds of megabytes of a GPU's memory to tell.
    """
    fields = "--query-gpu=name,driver_version,memory.total"
    command = ["nvidia-smi", fields, "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown: nvidia-smi does not tell"
    return "; ".join(done.stdout.split("\n")).strip("; ")
