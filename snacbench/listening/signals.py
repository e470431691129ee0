"""The signals of a run as ears are to compare them: at 48 kHz, in time, of one length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snacbench.audio.align import advanced
from snacbench.audio.channels import downmix
from snacbench.audio.clipping import limited
from snacbench.audio.io import read, read_clip, sha256_of_file
from snacbench.audio.resample import fit_length, resample
from snacbench.errors import AudioError
from snacbench.listening.test import RATE_HZ
from snacbench.rows import Calibration, Coded
from snacbench.store.folder import RunFolder
from snacbench.types import Audio, Clip


@dataclass(frozen=True)
class RunSignals:
    """A run's clips, decoded files and delays; of rows that are there twice the last counts."""

    folder: RunFolder
    mono: bool
    clips: Mapping[str, Clip]
    coded: Mapping[tuple[str, str], Coded]
    calibrations: Mapping[str, Calibration]


@dataclass(frozen=True)
class Delay:
    """What was taken away from a decoded file, in samples at the codec's rate; positive: late."""

    samples: int = 0
    rate_hz: int = RATE_HZ


def open_signals(folder: RunFolder) -> RunSignals:
    """The signals of a run."""
    return RunSignals(
        folder,
        folder.run.request.channels == "mono",
        {clip.id: clip for clip in folder.read(Clip)},
        {(row.clip, row.codec): row for row in folder.read(Coded)},
        {row.codec: row for row in folder.read(Calibration)},
    )


def why_unheard(run: RunSignals, clip: str, codecs: tuple[str, ...]) -> str:
    """Why a clip cannot be heard through all codecs; empty if it can."""
    for codec in codecs:
        row = run.coded.get((clip, codec))
        if row is None:
            return f"{codec} has not coded it"
        if row.status != "ok":
            return f"{codec} failed on it: {row.reason}"
        if row.decoded is None or not (run.folder.path / row.decoded).is_file():
            return f"the decoded audio of {codec} is not in the run folder"
    return ""


def source(run: RunSignals, clip_id: str) -> Audio:
    """The whole clip as the run saw it, at its own rate.

    Raises
    ------
    AudioError
        If the recording is not at hand, or not the one that was coded.
    """
    clip = run.clips.get(clip_id)
    if clip is None:
        raise AudioError(f"the run in {run.folder.path} has no clip {clip_id}")
    audio = read_clip(clip)
    if sha256_of_file(clip.path) != clip.sha256:
        raise AudioError(
            f"{clip.path} is no longer the file that the run coded: its sha256 has changed"
        )
    audio = limited(audio)
    return downmix(audio) if run.mono else audio


def reference_of(run: RunSignals, clip_id: str) -> Audio:
    """The whole clip at 48 kHz."""
    return resample(source(run, clip_id), RATE_HZ)


def decoded(run: RunSignals, clip_id: str, codec: str, reference: Audio) -> tuple[Audio, Delay]:
    """What a codec made of a clip, in time with the reference and of its length.

    The calibrated residual delay is taken away in whole samples at the codec's rate, where it
    was measured: at 48 kHz that may be half a sample or a third.

    Raises
    ------
    AudioError
        If the decoded file is missing, or not the one that was decoded.
    """
    if why := why_unheard(run, clip_id, (codec,)):
        raise AudioError(f"{clip_id}: {why}; run the codecs again")
    row = run.coded[clip_id, codec]
    path = run.folder.path / str(row.decoded)
    audio = read(path)
    if sha256_of_file(path) != row.decoded_sha256:
        raise AudioError(f"{path} is not the file that was decoded: its sha256 has changed")
    delay = _delay(run.calibrations.get(codec), audio.rate_hz)
    at_rate = resample(advanced(audio, delay.samples), RATE_HZ)
    return Audio(fit_length(at_rate.samples, reference.num_samples), RATE_HZ), delay


def _delay(row: Calibration | None, rate_hz: int) -> Delay:
    if row is None or not row.found:
        return Delay(0, rate_hz)
    return Delay(round(row.delay_s * rate_hz), rate_hz)
