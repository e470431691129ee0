"""Signals and places that many tests share."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from snacbench.audio.channels import downmix
from snacbench.audio.io import read
from snacbench.audio.resample import resample
from snacbench.types import Audio

# A shell has its background jobs ignore Ctrl-C, and so would every program that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("busy", deadline=None)  # what time a case takes is the machine's
settings.load_profile("busy")

# As in our worker processes, from before numba is imported: it refuses to start if this changes.
os.environ["NUMBA_NUM_THREADS"] = "1"
os.environ["COLUMNS"] = "200"  # no message is broken into lines

# Of one test in a browser, and of one step of it. The longest test took 44 s on two cores that 25
# processes shared.
BROWSER_LIMIT_S, BROWSER_STEP_S = 600.0, 120.0

_DEFAULT_MATERIAL = Path(__file__).resolve().parents[2] / "shared"
MATERIAL = Path(os.environ.get("SNACBENCH_SHARED", _DEFAULT_MATERIAL))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real test material; tests that need it are skipped where there is none."""
    if not MATERIAL.is_dir():
        pytest.skip(f"no test material at {MATERIAL}; set SNACBENCH_SHARED")
    return MATERIAL


@pytest.fixture(scope="session")
def lyra_folder() -> Path:
    """Folder of Google's Lyra V2 models."""
    folder = Path(os.environ.get("SNACBENCH_LYRA_DIR", _DEFAULT_MATERIAL / "lyra"))
    if not folder.is_dir():
        pytest.skip(f"no Lyra models at {folder}; set SNACBENCH_LYRA_DIR")
    return folder


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    """Drives browsers; its plain interface can be started but once in a process."""
    api = pytest.importorskip("playwright.sync_api")
    api.expect.set_options(timeout=BROWSER_STEP_S * 1000)
    with api.sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Any) -> Iterator[Any]:
    """A headless browser; tests that need one are skipped where there is none.

    A new one for each module: over hundreds of pages one may get stuck."""
    browser = launch(playwright)
    yield browser
    browser.close()


def launch(playwright: Any) -> Any:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    return playwright.chromium.launch(executable_path=path, args=arguments)


@contextmanager
def limited(browser: Any, seconds: float) -> Iterator[None]:
    """Kill the browser after `seconds`: what waits for it fails there, and the trace has the line.

    Playwright waits without a limit for a page that is busy, in `evaluate`, `press`, and `count`
    alike, and nothing that runs in the page, or in this thread, can end that."""
    session = browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    (group,) = (process["id"] for process in found if process["type"] == "browser")
    assert os.getpgid(group) == group  # its own group: ours would end this process too
    killed = threading.Event()

    def kill() -> None:
        killed.set()
        os.killpg(group, signal.SIGKILL)

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
    assert not killed.is_set(), f"the browser was killed after {seconds:g} s, where the trace ends"


@pytest.fixture(autouse=True)
def _browser_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever hangs in a browser ends, and says where."""
    if "chromium" not in request.fixturenames:
        yield
        return
    with limited(request.getfixturevalue("chromium"), BROWSER_LIMIT_S):
        yield


@pytest.fixture(autouse=True)
def _own_caches_and_records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reads or writes what a developer keeps: indexes, downloads, recorded digests."""
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path / "snacbench-cache"))
    monkeypatch.setenv("SNACBENCH_STATE", str(tmp_path / "snacbench-state"))


def broadband(seconds: float, rate_hz: int, *, channels: int = 1, seed: int = 0) -> Audio:
    """Noise with a slow envelope and a falling spectrum: a stand-in for natural sound."""
    rng = np.random.default_rng(seed)
    n = max(1, round(seconds * rate_hz))
    white = rng.standard_normal((channels, n))
    pink = white + 3 * np.cumsum(white, axis=1) / 30
    pink -= pink.mean(axis=1, keepdims=True)
    envelope = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(n) / rate_hz)
    samples = pink * envelope
    peak = float(np.abs(samples).max()) or 1.0
    return Audio((0.5 * samples / peak).astype(np.float32), rate_hz)


def clip_at(path: Path, rate_hz: int, *, seconds: float | None = None) -> Audio:
    """A real clip, mono, at a rate, cut to its first seconds."""
    audio = resample(downmix(read(path)), rate_hz)
    if seconds is None:
        return audio
    return Audio(np.array(audio.samples[:, : round(seconds * rate_hz)]), rate_hz)


def si_sdr_db(reference: Audio, degraded: Audio) -> float:
    """Scale-invariant signal-to-distortion ratio of mono signals, in dB."""
    x = reference.samples[0].astype(np.float64)
    y = degraded.samples[0].astype(np.float64)
    x, y = x - x.mean(), y - y.mean()
    target = (x @ y) / (x @ x) * x
    return float(10 * np.log10((target @ target) / ((y - target) @ (y - target))))
