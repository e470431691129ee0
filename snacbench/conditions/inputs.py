"""What happens to a clip before it is coded: its level, noise, reverb.

Whatever then lies beyond full scale is cut, as a converter cuts it. A recording (``file=PATH``) is
resampled; each channel of a clip gets the recording's channel of the same number if it has as many,
else its first.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from snacbench.audio.io import probe, read
from snacbench.audio.levels import limited
from snacbench.audio.resample import resample
from snacbench.conditions.condition import Condition, generator
from snacbench.errors import AudioError, UserError
from snacbench.files import sha256_of_file
from snacbench.later import np
from snacbench.types import Audio, Floats, FloatSamples

_PINK_FROM_HZ = 20.0  # below, 1/f has as much power per octave and nobody hears it


def recordings_of(
    conditions: Iterable[Condition], signals: Iterable[tuple[int, int]]
) -> dict[str, str]:
    """The sha256 of each recording that conditions name, by path, once it has been tried.

    `signals` are rates in Hz and channels of the clips that it is for.

    Raises `UserError` if one is not there or no audio, silent throughout, or no room's response.
    """
    # What noise there is does not depend on its level.
    tried = {
        (path, one.kind, one.strength * (one.kind == "reverb")): one
        for one in conditions
        if (path := one.option("file")) and not one.neutral
    }
    kinds = sorted({*signals})
    for (path, kind, _), one in tried.items():
        try:
            seconds = (header := probe(Path(path))).num_samples / header.rate_hz
            for rate_hz, channels in kinds:
                length = 1 if kind == "reverb" else round(seconds * rate_hz)
                sound = np.full((channels, max(1, length)), 0.1, np.float32)
                impaired(Audio(sound, rate_hz), one, seed=0, clip="")
        except AudioError as error:
            raise UserError(
                f"the recording {path} cannot be used for {one.name}: {error}; name another (: and "
                "% of its path are written %3A and %25)"
            ) from error
    return {path: sha256_of_file(Path(path)) for path in dict.fromkeys(p for p, *_ in tried)}


def impaired(
    audio: Audio, condition: Condition, *, seed: int, clip: str
) -> tuple[Audio, float | None]:
    """A clip as a codec gets it under an input condition, and what the condition came to.

    ``level`` scales the samples. Realised is the change of the mean power in dB, on silence the
    gain. ``noise`` adds Gaussian noise, pink (1/f in power from 20 Hz up) or white, independent
    between channels and of equal power, or a recording, looped from a place that is drawn; at the
    SNR against the clip's mean power over all channels. Realised is the SNR in dB.

    ``reverb`` leaves the direct path as it is and adds for each channel, up to the clip's end, a
    tail of Gaussian noise that decays by 60 dB in the RT60 (Polack, La transmission de l'énergie
    sonore dans les salles, Université du Maine, 1988), with the energy of the direct path: as at a
    room's critical distance, so that strengths differ in decay alone. Of a recorded response all
    before its largest sample is dropped, that sample is 1, and what follows is scaled by the
    strength. Realised is the response's RT60 in s, by backward integration (Schroeder, JASA 37,
    1965) between -5 and -35 dB.

    The same arguments give the same samples, and all strengths draw the same random numbers. A
    neutral strength gives the very same object; realised is None where it would be infinite.

    Raises `AudioError` if the clip or what is added is silent, a recording cannot be read, or a
    response does not decay.
    """
    if condition.stage != "input" or condition.neutral:
        return audio, None if condition.kind == "noise" else condition.strength
    clean, random = audio.samples.astype(np.float64), generator(seed, clip, condition.kind)
    if condition.kind == "reverb":
        response = _response(audio, condition, random)
        size = audio.num_samples + response.shape[1] - 1
        spectra = np.fft.rfft(clean, size) * np.fft.rfft(response, size)
        wet = np.fft.irfft(spectra, size)[:, : audio.num_samples]
        return _converted(wet, audio.rate_hz), _rt60_s(response, audio.rate_hz)
    if condition.kind == "level":
        scaled = _converted(clean * 10 ** (condition.strength / 20), audio.rate_hz)
        if not clean.any():
            return scaled, condition.strength
        return scaled, 10 * float(np.log10(_power(scaled.samples) / _power(clean)))
    noise = _noise(audio, condition, random)
    power = _sounding(_power(clean), "the clip is silent, so that noise has no level against it")
    own = _sounding(_power(noise), f"the noise of {condition.name} is silent")
    noise *= np.sqrt(power / own / 10 ** (condition.strength / 10))
    noisy = _converted(clean + noise, audio.rate_hz)
    return noisy, 10 * float(np.log10(power / _power(noisy.samples - clean)))


def _converted(samples: Floats, rate_hz: int) -> Audio:
    return limited(Audio(samples.astype(np.float32), rate_hz))


def _power(samples: Floats | FloatSamples) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


def _sounding(power: float, problem: str) -> float:
    if not power > 0:
        raise AudioError(f"{problem}; leave it out, or use another condition")
    return power


def _recording(audio: Audio, condition: Condition) -> Floats | None:
    """What a condition names, at a clip's rate and channels; None where it names no file."""
    if (name := condition.option("file")) is None:
        return None
    changed_ns = path.stat().st_mtime_ns if (path := Path(name)).is_file() else 0
    samples = _resampled(path, audio.rate_hz, changed_ns).samples.astype(np.float64)
    return samples if len(samples) == audio.channels else samples[[0] * audio.channels]


@lru_cache(maxsize=4)
def _resampled(path: Path, rate_hz: int, _changed_ns: int) -> Audio:
    """A recording at a rate in Hz, read once for all clips unless the file changes."""
    return resample(read(path), rate_hz)


def _noise(audio: Audio, condition: Condition, random: "np.random.Generator") -> Floats:
    """Noise as long as a clip, at any level."""
    recorded = _recording(audio, condition)
    if recorded is not None:
        start = random.integers(recorded.shape[1])
        return recorded[:, (start + np.arange(audio.num_samples)) % recorded.shape[1]]
    noise = random.standard_normal(audio.samples.shape)
    if condition.option("white") is None:
        hz = np.fft.rfftfreq(audio.num_samples, 1 / audio.rate_hz)
        gains = np.where(hz >= _PINK_FROM_HZ, np.maximum(hz, _PINK_FROM_HZ) ** -0.5, 0)
        noise = np.fft.irfft(np.fft.rfft(noise) * gains, audio.num_samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2, axis=1, keepdims=True) + 1e-300))


def _response(audio: Audio, condition: Condition, random: "np.random.Generator") -> Floats:
    """A room's impulse response for each channel, its direct path being 1 at the beginning."""
    recorded = _recording(audio, condition)
    if recorded is not None:
        response = np.zeros_like(recorded)
        for row, told in zip(response, recorded, strict=True):
            at = int(np.abs(told).argmax())
            _sounding(abs(float(told[at])), f"the response of {condition.name} is silent")
            row[: len(row) - at] = told[at:] / told[at]
        response[:, 1:] *= condition.strength
        return response
    seconds = np.arange(1, max(2, round(condition.strength * audio.rate_hz))) / audio.rate_hz
    tail = random.standard_normal((audio.channels, len(seconds)))
    tail *= 10 ** (-3 * seconds / condition.strength)
    tail /= np.sqrt(np.sum(tail**2, axis=1, keepdims=True))
    return np.concatenate([np.ones((audio.channels, 1)), tail], axis=1)


def _rt60_s(response: Floats, rate_hz: int) -> float:
    """RT60 in s of a response, all channels' energy together."""
    energy = np.cumsum(np.sum(response**2, axis=0)[::-1])[::-1]
    decay_db = 10 * np.log10(np.maximum(energy / energy[0], 1e-30))
    at = np.flatnonzero((decay_db <= -5) & (decay_db >= -35))
    if len(at) < 3:
        raise AudioError(
            f"the response of {response.shape[1]} samples does not decay gradually from -5 to -35 "
            "dB; give the impulse response of a room, uncut, or a longer RT60"
        )
    return float(-60 / np.polyfit(at / rate_hz, decay_db[at], 1)[0])
