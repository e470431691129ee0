"""Thirty clips through twelve codecs: small enough to send, and open at once."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from snacbench.audio.io import sha256_of_file, write_flac
from snacbench.report.build import Request, build
from snacbench.rows import Bits, Coded, Score
from snacbench.store.folder import RunFolder
from snacbench.types import Clip
from tests.conftest import broadband
from tests.report.conftest import CODECS, METRICS, RUN

CLIPS, POINTS, SECONDS = 30, 12, 10.0
MOST_BYTES, MOST_S = 60e6, 2.0


def large_run(path: Path) -> RunFolder:
    names = [f"model{i // 3}@{i + 1}kbps" for i in range(POINTS)]
    codecs = tuple(replace(CODECS[0], name=n, model=n.split("@")[0]) for n in names)
    source = path / "source.flac"
    write_flac(source, broadband(SECONDS, 48_000, seed=0))
    digest, samples = sha256_of_file(source), round(SECONDS * 48_000)
    clips = [
        Clip(f"set/{i:02}", source, digest, 48_000, 1, samples, domain="music")
        for i in range(CLIPS)
    ]
    folder = RunFolder.create(path / "run", replace(RUN, codecs=codecs), clips)
    for place, name in enumerate(names):  # one file of noise per codec stands for all its clips
        decoded = folder.decoded_path("any", name)
        write_flac(decoded, broadband(SECONDS, 48_000, seed=place + 1))
        where = str(decoded.relative_to(folder.path))
        for i, clip in enumerate(clips):
            bits = Bits(payload=10_000 * (place + 1))
            folder.append([Coded(clip.id, name, "ok", "", "music", SECONDS, bits, decoded=where)])
            folder.append([Score(clip.id, name, m.name, "1", "ok", 1.0 * i) for m in METRICS])
    return folder


@pytest.mark.slow
def test_thirty_clips_and_twelve_codecs_fit_and_open(tmp_path: Path, chromium: Any) -> None:
    made = build(large_run(tmp_path), tmp_path / "report", Request())
    page = chromium.new_page()
    began_s = time.monotonic()
    page.goto(made.index.as_uri())
    page.wait_for_selector("[data-ready]")
    opened_s = time.monotonic() - began_s
    page.locator(".opener").first.click()
    page.wait_for_selector(".clip.open .signal")
    held_s = page.evaluate("snacbench.players.player.length")
    page.close()
    assert made.num_bytes < MOST_BYTES, f"{made.num_bytes / 1e6:.1f} MB"
    assert opened_s < MOST_S, f"{opened_s:.2f} s"
    assert held_s > 7.0, f"previews of {held_s:.1f} s"
