"""Single sounds of the environment: a drop, a bird, a step on gravel, a struck glass."""

from __future__ import annotations

import numpy as np

from tools.make_quick_set.clip import Signal
from tools.make_quick_set.dsp import Rng, band, decay, modal, noise, scatter, sweep


def heavy_tail(rng: Rng, *, shape: float = 1.6, limit: float = 12.0) -> float:
    """Size of an event: many small, few large."""
    return float(min(rng.pareto(shape) + 0.15, limit))


def rain_drop(rng: Rng, rate_hz: int) -> Signal:
    """A drop on a tin roof: a click that rings in the sheet."""
    length = round(0.03 * rate_hz)
    pitch_hz = float(np.exp(rng.uniform(np.log(1200), np.log(9000))))
    ring = modal(
        rate_hz,
        0.03,
        [(pitch_hz, rng.uniform(0.001, 0.004), 1.0), (2.63 * pitch_hz, 0.0015, 0.5)],
    )
    click = rng.standard_normal(length) * decay(length, rate_hz, rng.uniform(0.0004, 0.0015))
    return heavy_tail(rng) * (ring[:length] + 0.8 * click)


def water_drip(rng: Rng, rate_hz: int) -> Signal:
    """A drip into a puddle: a bubble whose pitch rises as it closes."""
    length = round(0.09 * rate_hz)
    start_hz = rng.uniform(500, 1600)
    frequency_hz = start_hz * (1 + rng.uniform(0.3, 1.2) * np.linspace(0, 1, length) ** 2)
    return np.asarray(
        sweep(frequency_hz, rate_hz) * decay(length, rate_hz, rng.uniform(0.008, 0.02))
    )


def chirp(rate_hz: int, start_hz: float, end_hz: float, duration_s: float) -> Signal:
    """A whistled glide with a trace of second harmonic."""
    length = round(duration_s * rate_hz)
    glide = start_hz * (end_hz / start_hz) ** np.linspace(0, 1, length)
    swell = np.sin(np.pi * np.linspace(0, 1, length)) ** 0.7
    return np.asarray(swell * (sweep(glide, rate_hz) + 0.12 * sweep(2 * glide, rate_hz)))


def warbler(rng: Rng, rate_hz: int) -> Signal:
    """A fast trill that climbs, then a falling flourish."""
    notes = int(rng.integers(9, 16))
    base_hz = rng.uniform(3800, 5200)
    events = [
        (0.055 * index, chirp(rate_hz, base_hz * (1.35 + 0.02 * index), base_hz, 0.045))
        for index in range(notes)
    ]
    events.append((0.055 * notes + 0.03, chirp(rate_hz, 1.8 * base_hz, 0.9 * base_hz, 0.18)))
    return scatter(round((0.055 * notes + 0.3) * rate_hz), rate_hz, events)


def whistler(rng: Rng, rate_hz: int) -> Signal:
    """Three slow pure notes with vibrato, the blackbird's manner."""
    events = []
    start_s = 0.0
    for _ in range(3):
        length_s = rng.uniform(0.16, 0.34)
        length = round(length_s * rate_hz)
        now_s = np.arange(length) / rate_hz
        pitch_hz = rng.uniform(1700, 2900) * (1 + 0.012 * np.sin(2 * np.pi * 24 * now_s))
        swell = np.sin(np.pi * np.linspace(0, 1, length)) ** 0.5
        tone = sweep(pitch_hz, rate_hz) + 0.15 * sweep(3 * pitch_hz, rate_hz)
        events.append((start_s, swell * tone))
        start_s += length_s + rng.uniform(0.02, 0.07)
    return scatter(round(start_s * rate_hz), rate_hz, events)


def sparrow(rng: Rng, rate_hz: int) -> Signal:
    """A single husky cheep."""
    top_hz = rng.uniform(5500, 7500)
    call = chirp(rate_hz, top_hz, 0.55 * top_hz, rng.uniform(0.06, 0.1))
    buzz = 1 + 0.6 * np.sin(2 * np.pi * 130 * np.arange(len(call)) / rate_hz)
    return np.asarray(call * buzz)


def gull(rng: Rng, rate_hz: int) -> Signal:
    """A wailing cry, rich in harmonics, that rises and falls."""
    length = round(rng.uniform(0.35, 0.6) * rate_hz)
    along = np.linspace(0, 1, length)
    pitch_hz = rng.uniform(850, 1050) * (1 + 0.45 * np.sin(np.pi * along**0.7))
    cry = sum(sweep(n * pitch_hz, rate_hz) / n**1.1 for n in range(1, 15))
    rasp = 1 + 0.35 * np.sin(2 * np.pi * 70 * np.arange(length) / rate_hz)
    return np.asarray(cry * rasp * np.sin(np.pi * along) ** 0.6)


def cricket_chirp(rng: Rng, rate_hz: int, pitch_hz: float) -> Signal:
    """One chirp: three or four strokes of the wing."""
    stroke_s = 0.016
    length = round(stroke_s * rate_hz)
    window = np.sin(np.pi * np.linspace(0, 1, length)) ** 2
    strokes = [
        (index * 0.024, (0.6 + 0.2 * index) * window * sweep(np.full(length, tone_hz), rate_hz))
        for index in range(int(rng.integers(3, 5)))
        for tone_hz in (pitch_hz, 2.01 * pitch_hz)
    ]
    return scatter(round(0.12 * rate_hz), rate_hz, strokes)


def crackle(rng: Rng, rate_hz: int) -> Signal:
    """A spark in burning wood, sometimes with the knock of the log behind it."""
    length = round(0.05 * rate_hz)
    size = heavy_tail(rng, shape=1.2)
    snap = rng.standard_normal(length) * decay(length, rate_hz, rng.uniform(0.0003, 0.004))
    low_hz = rng.uniform(300, 3000)
    snap = band(snap, rate_hz, low_hz)
    if size > 3:
        knock = modal(rate_hz, 0.05, [(rng.uniform(250, 700), 0.008, 0.7), (1430, 0.004, 0.4)])
        snap = snap + knock[:length]
    return np.asarray(size * snap)


def gravel_step(rng: Rng, rate_hz: int) -> Signal:
    """Heel and toe on gravel: hundreds of stones that click, over a soft thump."""
    length = round(0.42 * rate_hz)
    stones = []
    for centre_s, spread_s, count, force in ((0.06, 0.025, 90, 1.0), (0.22, 0.05, 160, 0.7)):
        for time_s in rng.normal(centre_s, spread_s, count):
            pitch_hz = float(np.exp(rng.uniform(np.log(1500), np.log(13_000))))
            ring = [(pitch_hz, rng.uniform(0.0006, 0.003), force * heavy_tail(rng, limit=6))]
            stones.append((max(float(time_s), 0.0), modal(rate_hz, 0.015, ring)))
    grit = noise(rng, length, rate_hz, db_per_octave=1.5) * decay(
        length, rate_hz, 0.09, attack_s=0.03
    )
    thump = modal(rate_hz, 0.42, [(72, 0.03, 5.0), (118, 0.02, 2.5)])[:length]
    return scatter(length, rate_hz, stones) + 0.8 * grit + thump


def struck_glass(rng: Rng, rate_hz: int, *, pitch_hz: float) -> Signal:
    """A wine glass: few modes that ring long, each split in two that beat."""
    ratios = (1.0, 2.32, 4.25, 6.63, 9.38)
    modes = []
    for index, ratio in enumerate(ratios):
        for detune in (1.0, 1.0 + rng.uniform(0.001, 0.003)):
            modes.append((pitch_hz * ratio * detune, 0.5 / (1 + index), 0.5 / (1 + 0.7 * index)))
    return modal(rate_hz, 1.6, modes)


def clink(rng: Rng, rate_hz: int, *, ring_s: float) -> Signal:
    """A small glass or a cup, held so that it rings only for a moment."""
    glass = struck_glass(rng, rate_hz, pitch_hz=rng.uniform(1800, 4500))
    return glass * decay(len(glass), rate_hz, ring_s)


def jingle(rng: Rng, rate_hz: int) -> Signal:
    """One key against another."""
    key = struck_metal(rng, rate_hz, pitch_hz=rng.uniform(2600, 4200))
    return key * decay(len(key), rate_hz, 0.05)


def struck_metal(rng: Rng, rate_hz: int, *, pitch_hz: float) -> Signal:
    """A steel bar hit with a hammer: the modes of a free bar, and the blow itself."""
    modes = [
        (pitch_hz * ((2 * n + 1) / 3.011) ** 2 * rng.uniform(0.99, 1.01), 0.35 / n**0.8, 1 / n**0.5)
        for n in range(1, 12)
    ]
    bar = modal(rate_hz, 1.2, modes)
    blow = rng.standard_normal(len(bar)) * decay(len(bar), rate_hz, 0.0012)
    return np.asarray(bar + 1.2 * blow)


def struck_wood(rng: Rng, rate_hz: int, *, pitch_hz: float) -> Signal:
    """A knock on a board."""
    modes = [
        (pitch_hz * ratio * rng.uniform(0.97, 1.03), 0.03 / (1 + 0.5 * index), 1 / (1 + index))
        for index, ratio in enumerate((1.0, 1.58, 2.42, 3.35, 5.1))
    ]
    knock = modal(rate_hz, 0.25, modes)
    blow = rng.standard_normal(len(knock)) * decay(len(knock), rate_hz, 0.0008)
    return np.asarray(knock + 0.5 * blow)


def clock_tick(rng: Rng, rate_hz: int, *, tock: bool) -> Signal:
    """One beat of an escapement: three tiny blows in 20 ms, in a wooden case."""
    case = (
        [(1150, 0.006, 0.6), (2700, 0.004, 0.8)]
        if tock
        else [(1420, 0.006, 0.6), (3300, 0.004, 0.8)]
    )
    blows = []
    for time_s, force in ((0.0, 0.5), (0.007, 1.0), (0.018, 0.35)):
        body = modal(rate_hz, 0.05, case)
        click = rng.standard_normal(len(body)) * decay(len(body), rate_hz, 0.0006)
        blows.append((time_s, force * (body + click)))
    return scatter(round(0.08 * rate_hz), rate_hz, blows)
