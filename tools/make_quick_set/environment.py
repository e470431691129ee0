"""Sound scenes, each layered from textures and events, in a place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import soxr

from tools.make_quick_set import events as ev
from tools.make_quick_set.clip import QuickClip, Signal, random_of
from tools.make_quick_set.dsp import (
    Rng,
    band,
    impulse_of_room,
    in_room,
    mix,
    noise,
    place,
    random_times,
    scatter,
    wander,
)
from tools.make_quick_set.passing import drive_past

_SOURCE = "numpy synthesis; tools/make_quick_set/environment.py"


@dataclass(frozen=True)
class Scene:
    """A scene: `make` takes random numbers, rate and duration, and returns (channels, time)."""

    make: Callable[[Rng, int, float], Signal]
    name: str
    rate_hz: int
    duration_s: float
    peak_dbfs: float


def wind(rng: Rng, length: int, rate_hz: int) -> Signal:
    """Gusts: red noise whose level and brightness rise together."""
    gust = wander(rng, length, rate_hz, every_s=0.9, between=(0.1, 1.0))
    body = band(noise(rng, length, rate_hz, db_per_octave=5), rate_hz, 50, 700)
    leaves = band(noise(rng, length, rate_hz, db_per_octave=3), rate_hz, 1500)
    return gust * body + 0.25 * gust**2.5 * leaves


def rain_on_roof(rng: Rng, rate_hz: int, duration_s: float) -> Signal:
    """Rain on a tin roof, a dripping gutter, thunder far away."""
    length = round(duration_s * rate_hz)
    drops = [(time_s, ev.rain_drop(rng, rate_hz)) for time_s in random_times(rng, duration_s, 260)]
    drips = [
        (time_s, 0.5 * ev.water_drip(rng, rate_hz)) for time_s in random_times(rng, duration_s, 9)
    ]
    hiss = band(noise(rng, length, rate_hz, db_per_octave=3), rate_hz, 400)
    hiss *= wander(rng, length, rate_hz, every_s=0.7, between=(0.75, 1.0))
    along = np.linspace(0, 1, length)
    roll = np.exp(-(((along - 0.6) / 0.22) ** 2)) * wander(
        rng, length, rate_hz, every_s=0.12, between=(0.3, 1)
    )
    thunder = roll * band(noise(rng, length, rate_hz, db_per_octave=7), rate_hz, 25, 140)
    attic = impulse_of_room(rng, rate_hz, reverberation_s=0.25, direct=1.5)
    near = scatter(length, rate_hz, drops)
    gutter = scatter(length, rate_hz, drips)
    return mix(
        [(-24, in_room(near, attic)), (-31, in_room(gutter, attic)), (-38, hiss), (-28, thunder)]
    )[np.newaxis]


def surf_and_gulls(rng: Rng, rate_hz: int, duration_s: float) -> Signal:
    """Two breakers that roll up the beach from left to right, gulls overhead."""
    length = round(duration_s * rate_hz)
    now_s = np.arange(length) / rate_hz
    sea = np.zeros((2, length))
    for crash_s, side in ((0.9, -0.5), (3.0, 0.4)):
        late_s = now_s - crash_s
        swell = np.where(late_s < 0, np.exp(late_s / 0.5), np.exp(-late_s / 1.1))
        foam = np.where(late_s < 0.2, np.exp((late_s - 0.2) / 0.15), np.exp(-(late_s - 0.2) / 1.6))
        roar = band(noise(rng, length, rate_hz, db_per_octave=5), rate_hz, 40, 1500)
        fizz = band(noise(rng, length, rate_hz, db_per_octave=3.5), rate_hz, 1200)
        bubbles = wander(rng, length, rate_hz, every_s=0.004, between=(0.3, 1))
        sea += place(swell * roar + 0.22 * foam * fizz * bubbles, side + 0.12 * late_s.clip(-2, 3))
    far = [band(noise(rng, length, rate_hz, db_per_octave=5), rate_hz, 60, 2500) for _ in range(2)]
    calls = [(t, ev.gull(rng, rate_hz)) for t in (0.35, 0.95, 2.5, 2.95, 3.4)]
    sky = impulse_of_room(rng, rate_hz, reverberation_s=0.9, direct=0.8)
    gulls = place(in_room(scatter(length, rate_hz, calls), sky), np.linspace(0.6, -0.2, length))
    return mix([(-22, sea), (-38, np.stack(far)), (-33, gulls)])


def dawn_chorus(rng: Rng, rate_hz: int, duration_s: float) -> Signal:
    """Three kinds of birds in a wood, near and far, and wind in the leaves."""
    length = round(duration_s * rate_hz)
    wood = impulse_of_room(rng, rate_hz, reverberation_s=1.3, direct=1.0, damping_hz=8000)
    far_wood = impulse_of_room(rng, rate_hz, reverberation_s=1.6, direct=0.15)
    near = [(0.3, ev.warbler(rng, rate_hz)), (3.4, ev.warbler(rng, rate_hz))]
    whistles = [(t, 0.9 * ev.whistler(rng, rate_hz)) for t in (1.4, 2.5, 4.4)]
    cheeps = [(t, 0.4 * ev.sparrow(rng, rate_hz)) for t in random_times(rng, duration_s, 2.2)]
    distant = [(t, ev.whistler(rng, rate_hz)) for t in random_times(rng, duration_s, 1.2)]
    distant += [(t, ev.warbler(rng, rate_hz)) for t in random_times(rng, duration_s, 0.6)]
    return mix(
        [
            (-24, in_room(scatter(length, rate_hz, near + whistles + cheeps), wood)),
            (-38, in_room(scatter(length, rate_hz, distant), far_wood)),
            (-42, wind(rng, length, rate_hz)),
        ]
    )[np.newaxis]


def campfire_at_night(rng: Rng, rate_hz: int, duration_s: float) -> Signal:
    """A crackling fire, two crickets farther off, a breath of wind."""
    length = round(duration_s * rate_hz)
    calm = wander(rng, length, rate_hz, every_s=0.5, between=(0.0, 1.0))
    times = [
        t for t in random_times(rng, duration_s, 70) if rng.uniform() < calm[int(t * rate_hz)] ** 2
    ]
    sparks = scatter(length, rate_hz, [(t, ev.crackle(rng, rate_hz)) for t in times])
    flame = band(noise(rng, length, rate_hz, db_per_octave=4), rate_hz, 50, 900)
    flame *= wander(rng, length, rate_hz, every_s=0.06, between=(0.3, 1.0))
    layers = [(-26.0, sparks), (-33.0, flame)]
    for pitch_hz, pause_s, level_db in ((4350, 0.41, -37.0), (5020, 0.53, -40.0)):
        starts_s = np.arange(rng.uniform(0, 0.3), duration_s, pause_s)
        chirps = [
            (float(t + rng.normal(0, 0.012)), ev.cricket_chirp(rng, rate_hz, pitch_hz))
            for t in starts_s
        ]
        meadow = impulse_of_room(rng, rate_hz, reverberation_s=0.5, direct=0.7)
        layers.append((level_db, in_room(scatter(length, rate_hz, chirps), meadow)))
    return mix([*layers, (-46, wind(rng, length, rate_hz))])[np.newaxis]


def gravel_path(rng: Rng, rate_hz: int, duration_s: float) -> Signal:
    """Someone walks up a gravel path on a windy day and shakes a bunch of keys."""
    length = round(duration_s * rate_hz)
    steps = [
        (
            0.15 + 0.56 * index + rng.normal(0, 0.015),
            (0.5 + 0.07 * index) * ev.gravel_step(rng, rate_hz),
        )
        for index in range(int(duration_s / 0.56))
    ]
    keys = [(t, 0.3 * ev.jingle(rng, rate_hz)) for t in np.sort(rng.normal(3.3, 0.25, 16))]
    yard = impulse_of_room(rng, rate_hz, reverberation_s=0.35, direct=1.6)
    return mix(
        [
            (-25, in_room(scatter(length, rate_hz, steps), yard)),
            (-37, in_room(scatter(length, rate_hz, keys), yard)),
            (-38, wind(rng, length, rate_hz)),
        ]
    )[np.newaxis]


def street_pass_by(rng: Rng, rate_hz: int, duration_s: float) -> Signal:
    """A car passes from left to right; behind it the hum of a town and a bicycle bell."""
    length = round(duration_s * rate_hz)
    car = drive_past(rng, rate_hz, duration_s)
    town = np.stack(
        [band(noise(rng, length, rate_hz, db_per_octave=5), rate_hz, 35, 3000) for _ in range(2)]
    )
    strokes = [(t, ev.struck_glass(rng, rate_hz, pitch_hz=2350)) for t in (0.5, 0.62, 1.1, 1.22)]
    walls = impulse_of_room(rng, rate_hz, reverberation_s=0.8, direct=0.5)
    bell = place(in_room(scatter(length, rate_hz, strokes), walls), 0.5)
    return mix([(-21, car), (-40, town), (-40, bell)])


def workshop(rng: Rng, rate_hz: int, duration_s: float) -> Signal:
    """A wall clock ticks in a workshop while metal, wood and glass are struck."""
    length = round(duration_s * rate_hz)
    ticks = [
        (0.1 + 0.5 * index, ev.clock_tick(rng, rate_hz, tock=index % 2 == 1))
        for index in range(int(2 * duration_s))
    ]
    blows = [
        (0.8, ev.struck_metal(rng, rate_hz, pitch_hz=410)),
        (1.35, 0.7 * ev.struck_metal(rng, rate_hz, pitch_hz=412)),
        (2.25, 0.8 * ev.struck_wood(rng, rate_hz, pitch_hz=230)),
        (2.5, 0.6 * ev.struck_wood(rng, rate_hz, pitch_hz=262)),
        (3.2, 0.35 * ev.struck_glass(rng, rate_hz, pitch_hz=740)),
        (4.3, 0.5 * ev.struck_metal(rng, rate_hz, pitch_hz=655)),
    ]
    shards = [
        (4.34 + float(rng.exponential(0.16)),
         0.12 * ev.heavy_tail(rng, limit=4) * ev.clink(rng, rate_hz, ring_s=0.04))
        for _ in range(28)
    ]  # fmt: skip
    room = impulse_of_room(rng, rate_hz, reverberation_s=0.65, direct=1.2, damping_hz=5000)
    now_s = np.arange(length) / rate_hz
    motor = sum(np.sin(2 * np.pi * 49.7 * n * now_s + n) / n for n in (1, 2, 3, 4, 6, 8))
    fan = band(noise(rng, length, rate_hz, db_per_octave=4), rate_hz, 60) * 0.6 + 0.25 * motor
    return mix(
        [
            (-24, in_room(scatter(length, rate_hz, blows + shards), room)),
            (-36, in_room(scatter(length, rate_hz, ticks), room)),
            (-56, fan),
        ]
    )[np.newaxis]


def cafe(rng: Rng, rate_hz: int, duration_s: float, voices: Sequence[tuple[Signal, int]]) -> Signal:
    """Several people talk at once in a room, cups and glasses between them.

    `voices` are (speech, rate in Hz); each talks on in a circle from a point of its own.
    """
    length = round(duration_s * rate_hz)
    room = impulse_of_room(rng, rate_hz, reverberation_s=0.7, direct=0.6, damping_hz=4500)
    crowd = np.zeros(length)
    for speech, speech_rate_hz in voices:
        said = soxr.resample(speech, speech_rate_hz, rate_hz, quality="VHQ")
        looped = np.resize(np.roll(said, int(rng.integers(len(said)))), length)
        crowd += looped / np.sqrt(np.mean(looped**2)) * 10 ** (rng.uniform(-8, 0) / 20)
    cups = [
        (t, rng.uniform(0.3, 1) * ev.clink(rng, rate_hz, ring_s=0.09))
        for t in random_times(rng, duration_s, 1.8)
    ]
    chairs = [(t, ev.struck_wood(rng, rate_hz, pitch_hz=150)) for t in (1.9, 4.1)]
    air = noise(rng, length, rate_hz, db_per_octave=4)
    return mix(
        [
            (-24, in_room(crowd, room)),
            (-36, in_room(scatter(length, rate_hz, cups), room)),
            (-38, in_room(scatter(length, rate_hz, chairs), room)),
            (-50, air),
        ]
    )[np.newaxis]


SCENES = (
    Scene(rain_on_roof, "rain_on_roof", 48_000, 4.1, -5.0),
    Scene(surf_and_gulls, "surf_and_gulls", 44_100, 4.1, -6.0),
    Scene(dawn_chorus, "dawn_chorus", 48_000, 5.0, -6.0),
    Scene(campfire_at_night, "campfire_at_night", 44_100, 5.0, -3.0),
    Scene(gravel_path, "gravel_path", 32_000, 4.8, -3.0),
    Scene(street_pass_by, "street_pass_by", 44_100, 4.2, -5.0),
    Scene(workshop, "workshop", 48_000, 5.2, -1.0),
)


def environment_clips(voices: Sequence[tuple[Signal, int]]) -> list[QuickClip]:
    """Every scene of the set; `voices` people the café."""
    scenes = (*SCENES, Scene(partial(cafe, voices=voices), "cafe", 22_050, 5.5, -5.0))
    return [
        QuickClip(
            name=scene.name,
            domain="environment",
            samples=scene.make(random_of(scene.name), scene.rate_hz, scene.duration_s),
            rate_hz=scene.rate_hz,
            peak_dbfs=scene.peak_dbfs,
            source=_SOURCE,
            track=scene.name,
        )
        for scene in scenes
    ]
