"""Building blocks of synthetic sound: noise, envelopes, resonators, rooms, places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import scipy.fft
import scipy.signal

from tools.make_quick_set.clip import Signal

Rng = np.random.Generator


def noise(rng: Rng, length: int, rate_hz: int, *, db_per_octave: float = 0.0) -> Signal:
    """Gaussian noise of unit RMS whose spectrum falls by `db_per_octave` (3 is pink, 6 is red)."""
    spectrum = scipy.fft.rfft(rng.standard_normal(length))
    frequencies_hz = scipy.fft.rfftfreq(length, 1.0 / rate_hz)
    # Level below 20 Hz: no sound lives there, and the slope would pile up energy.
    octaves = np.log2(np.maximum(frequencies_hz, 20.0) / 1000.0)
    shaped = scipy.fft.irfft(spectrum * 10 ** (-db_per_octave * octaves / 20), n=length)
    return np.asarray(shaped / np.sqrt(np.mean(shaped**2)))


def band(
    signal: Signal, rate_hz: int, low_hz: float, high_hz: float = np.inf, *, order: int = 2
) -> Signal:
    """Keep `low_hz` to `high_hz`, with Butterworth edges; 0 or infinity leaves a side open."""
    nyquist_hz = rate_hz / 2
    if low_hz > 0:
        edge = scipy.signal.butter(order, low_hz / nyquist_hz, "highpass", output="sos")
        signal = scipy.signal.sosfilt(edge, signal)
    if high_hz < nyquist_hz:
        edge = scipy.signal.butter(order, high_hz / nyquist_hz, "lowpass", output="sos")
        signal = scipy.signal.sosfilt(edge, signal)
    return np.asarray(signal)


def wander(
    rng: Rng, length: int, rate_hz: int, *, every_s: float, between: tuple[float, float]
) -> Signal:
    """Smooth curve inside the bounds `between`, with a new random turn about every `every_s`."""
    knots = max(round(length / rate_hz / every_s), 1) + 3
    values = rng.uniform(*between, knots)
    position = np.linspace(rng.uniform(0, 1), knots - 1.5, length)
    step = np.floor(position).astype(int)
    ease = 0.5 - 0.5 * np.cos(np.pi * (position - step))
    return np.asarray(values[step] * (1 - ease) + values[np.minimum(step + 1, knots - 1)] * ease)


def decay(length: int, rate_hz: int, time_s: float, *, attack_s: float = 0.0005) -> Signal:
    """Exponential decay with time constant `time_s` after a short attack."""
    now_s = np.arange(length) / rate_hz
    return np.asarray(np.exp(-now_s / time_s) * (1 - np.exp(-now_s / attack_s)))


def sweep(frequency_hz: Signal, rate_hz: int) -> Signal:
    """Sine of the instantaneous frequency given for every sample."""
    return np.asarray(np.sin(2 * np.pi * np.cumsum(frequency_hz) / rate_hz))


def modal(rate_hz: int, duration_s: float, modes: Iterable[tuple[float, float, float]]) -> Signal:
    """Struck body: the sum of modes (frequency in Hz, decay time constant in s, amplitude)."""
    now_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    body = np.zeros(len(now_s))
    for frequency_hz, time_s, amplitude in modes:
        if frequency_hz < 0.48 * rate_hz:
            body += amplitude * np.exp(-now_s / time_s) * np.sin(2 * np.pi * frequency_hz * now_s)
    return body


def scatter(length: int, rate_hz: int, events: Iterable[tuple[float, Signal]]) -> Signal:
    """Track of `length` samples with every event (time in s, sound) added at its time."""
    track = np.zeros(length)
    for time_s, sound in events:
        start = round(time_s * rate_hz)
        if 0 <= start < length:
            end = min(start + len(sound), length)
            track[start:end] += sound[: end - start]
    return track


def random_times(rng: Rng, duration_s: float, per_second: float) -> list[float]:
    """Times in s of events that happen independently of each other (a Poisson process)."""
    count = int(rng.poisson(per_second * duration_s))
    return [float(time_s) for time_s in np.sort(rng.uniform(0.0, duration_s, count))]


def impulse_of_room(
    rng: Rng, rate_hz: int, *, reverberation_s: float, direct: float = 1.0, damping_hz: float = 6000
) -> Signal:
    """Impulse response of a room.

    Direct sound, a dozen early reflections, then noise that decays by 60 dB in
    `reverberation_s`; what lies above `damping_hz` dies three times as fast, as walls and air
    absorb it first.
    """
    length = round(1.1 * reverberation_s * rate_hz)
    tail = rng.standard_normal(length) * 10 ** (
        -3 * np.arange(length) / (reverberation_s * rate_hz)
    )
    dull = band(tail, rate_hz, 80.0, damping_hz, order=1)
    bright = (tail - dull) * 10 ** (-6 * np.arange(length) / (reverberation_s * rate_hz))
    response = 0.5 * (dull + bright)
    response[: round(0.018 * rate_hz)] *= 0.05
    for delay_s in rng.uniform(0.003, 0.03, 12):
        response[round(delay_s * rate_hz)] += rng.choice((-1, 1)) * 0.02 / delay_s**0.5
    response /= np.sqrt(np.sum(response**2))
    response *= 0.6
    response[0] += direct
    return np.asarray(response)


def in_room(signal: Signal, response: Signal) -> Signal:
    """Sound a dry signal in a room; the clip ends where the signal ends."""
    return np.asarray(scipy.signal.oaconvolve(signal, response)[: len(signal)])


def place(signal: Signal, position: float | Signal) -> Signal:
    """Place a mono signal between left (-1) and right (1) at constant power: shape (2, time)."""
    angle = (np.asarray(position) + 1) * np.pi / 4
    return np.stack([np.cos(angle) * signal, np.sin(angle) * signal])


def mix(layers: Sequence[tuple[float, Signal]]) -> Signal:
    """Sum of layers, each brought to an RMS in dB of full scale and kept in proportion inside."""
    total = np.zeros_like(layers[0][1])
    for level_db, layer in layers:
        total = total + layer * 10 ** (level_db / 20) / np.sqrt(np.mean(layer**2))
    return total
