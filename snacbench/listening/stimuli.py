"""The stimuli of a test: every condition of every item as a file, made whole or not at all.

All conditions of an item are at 48 kHz, in time with the reference to a sample of the decoded file,
of one length, one gain and one size in bytes. ``stimuli.json`` says what was measured on each.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np

from snacbench import __version__
from snacbench.audio.align import advanced
from snacbench.audio.channels import downmix
from snacbench.audio.filters import energy_above_db, low_pass
from snacbench.audio.io import read, read_clip, write_wav
from snacbench.audio.levels import limited, loudness_lufs
from snacbench.audio.resample import fit_length, resample
from snacbench.errors import AudioError, ClipError, StoreError, UserError
from snacbench.files import atomic, sha256_of_file, writing
from snacbench.forms import REFERENCE
from snacbench.listening.test import (
    ANCHOR_CUTOFFS_HZ,
    ANSWERS_FILE,
    FADE_S,
    RATE_HZ,
    STIMULI_FOLDER,
    Item,
    Level,
    ListeningTest,
)
from snacbench.progress import Progress, Silent
from snacbench.rows import Calibration, Coded
from snacbench.store.jsonl import from_json, to_jsonable
from snacbench.store.run_folder import RunFolder
from snacbench.types import Audio, Clip

FACTS_FILE = "stimuli.json"
NEARLY_TRANSPARENT_DB = -40.0
"""An anchor that takes away less than this share of the reference's energy may pass for it."""

Format = Literal["wav", "flac"]

# ITU-R BS.1770-4, annex 2, asks for 4 times or more at 48 kHz. At 4 times, the peak of a sine at
# half the sampling rate may be read 0.7 dB too low; at 8 times, 0.2 dB.
_OVERSAMPLING = 8
_SILENCE_AROUND_S = 0.01  # what rings past the ends counts


@dataclass(frozen=True)
class StimulusFacts:
    """One file, as seen from the test's folder, and what was measured on it after its gain.

    `delay_samples` at `delay_rate_hz` is the codec's residual delay that was taken away; positive:
    it was late.
    """

    file: str
    sha256: str
    num_bytes: int
    gain_db: float
    loudness_lufs: float | None
    true_peak_dbtp: float | None
    delay_samples: int = 0
    delay_rate_hz: int = RATE_HZ


@dataclass(frozen=True)
class ItemFacts:
    """All files of one item: of one length, and of one size in bytes.

    `lowered_db` is by how much the item stays below the loudness asked for, so that no condition
    clips; `above_7khz_db` the reference's energy above 7 kHz relative to all of it, None if none.
    """

    clip: str
    num_samples: int
    channels: int
    lowered_db: float
    above_7khz_db: float | None
    warnings: tuple[str, ...]
    conditions: Mapping[str, StimulusFacts]


@dataclass(frozen=True)
class Facts:
    """The stimuli of a test; `design_sha256` says of which design."""

    snacbench_version: str
    design_sha256: str
    run_id: str
    set_sha256: str
    rate_hz: int
    format: Format
    items: Mapping[str, ItemFacts]


def stimulus_file(item: str, condition: str, format_: Format = "wav") -> str:
    """Where a stimulus lies, as seen from the test's folder; odd characters percent-encoded."""
    return f"{STIMULI_FOLDER}/{item}/{quote(condition, safe='@+=')}.{format_}"


def design_sha256(test: ListeningTest) -> str:
    """Digest of all that a test's stimuli depend on: not of texts, order or numbers of pages."""
    pages = (*test.items, *test.training)
    told = {
        "run_id": test.run_id,
        "set_sha256": test.set_sha256,
        "conditions": sorted(test.conditions),
        "items": sorted((item.id, item.clip, item.start_s, item.duration_s) for item in pages),
        "level": test.level.model_dump(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def read_facts(folder: Path, test: ListeningTest) -> Facts:
    """The facts of a test's stimuli; `UserError` if there are none, or not those of its design."""
    path, again = folder / FACTS_FILE, f"make them with 'snacbench mushra stimuli {folder}'"
    try:
        facts = from_json(path.read_bytes(), Facts, origin=str(path))
    except (OSError, StoreError) as error:
        text = f"{folder} has no stimuli yet: no {FACTS_FILE} that can be read; {again}"
        raise UserError(text) from error
    if facts.design_sha256 != design_sha256(test):
        raise UserError(
            f"the stimuli in {folder} are not those of its test.yaml, which was changed after they "
            f"were made; {again}"
        )
    return facts


class RunSignals:
    """A run's clips, decoded files and delays; of rows that are there twice the last counts."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.mono = folder, folder.run.request.channels == "mono"
        self.clips = {clip.id: clip for clip in folder.read(Clip)}
        self.coded = {(row.clip, row.codec): row for row in folder.read(Coded)}
        found = {row.codec: row for row in folder.read(Calibration)}
        base = {spec.name: spec.without_condition.name for spec in folder.run.codecs}
        self.calibrations = {name: found[of] for name, of in base.items() if of in found}

    @classmethod
    def behind(cls, folder: Path, test: ListeningTest) -> "RunSignals":
        """The signals of the run that the test in a folder was made from; else `UserError`."""
        path = Path(os.path.normpath(folder.absolute() / test.run))
        try:
            run = RunFolder.open(path)
        except StoreError as error:
            raise UserError(
                f"the run of this test is not found: {error}; write its folder, as seen from "
                f"{folder}, into the field run of test.yaml"
            ) from error
        found, expected = (run.run.id, run.run.set_sha256), (test.run_id, test.set_sha256)
        if found != expected:
            raise UserError(
                f"{path} is not the run that this test was made from: its id and set_sha256 are "
                f"{' and '.join(found)}, test.yaml says {' and '.join(expected)}; make a new test "
                "from it with 'snacbench mushra design'"
            )
        return cls(run)

    def why_unheard(self, clip: str, codecs: Sequence[str]) -> str:
        """Why a clip cannot be heard through all codecs; empty if it can."""
        for codec in codecs:
            row = self.coded.get((clip, codec))
            if row is None:
                return f"{codec} has not coded it"
            if row.status != "ok":
                return f"{codec} failed on it: {row.reason}"
            if row.decoded is None or not (self.folder.path / row.decoded).is_file():
                return f"the decoded audio of {codec} is not in the run folder"
        return ""

    def source(self, clip_id: str) -> Audio:
        """The whole clip as the run saw it, at its own rate.

        `AudioError` if the recording is not at hand, or not the one that was coded.
        """
        clip = self.clips.get(clip_id)
        if clip is None:
            raise AudioError(f"the run in {self.folder.path} has no clip {clip_id}")
        audio = read_clip(clip)
        if sha256_of_file(clip.path) != clip.sha256:
            text = f"{clip.path} is no longer the file that the run coded: its sha256 has changed"
            raise AudioError(text)
        audio = limited(audio)
        return downmix(audio) if self.mono else audio

    def decoded(self, clip_id: str, codec: str, num_samples: int) -> tuple[Audio, tuple[int, int]]:
        """What a codec made of a clip, at 48 kHz and in time with the source; and its delay.

        The calibrated residual delay is taken away in whole samples at the codec's rate, where it
        was measured: at 48 kHz that may be half a sample or a third. It is returned beside the
        audio of `num_samples`, positive if late, with the rate in Hz at which it counts.
        `AudioError` if the decoded file is missing, or not the one that was decoded.
        """
        if why := self.why_unheard(clip_id, (codec,)):
            raise AudioError(f"{clip_id}: {why}; run the codecs again")
        row, calibration = self.coded[clip_id, codec], self.calibrations.get(codec)
        path = self.folder.path / str(row.decoded)
        audio = read(path)
        if sha256_of_file(path) != row.decoded_sha256:
            raise AudioError(f"{path} is not the file that was decoded: its sha256 has changed")
        found = calibration is not None and calibration.found
        delay = round(calibration.delay_s * audio.rate_hz) if calibration and found else 0
        at_rate = resample(advanced(audio, delay), RATE_HZ)
        return Audio(fit_length(at_rate.samples, num_samples), RATE_HZ), (delay, audio.rate_hz)


# ------------------------------------------------------------------------- cuts, levels and files
def cut(audio: Audio, start_s: float, duration_s: float) -> Audio:
    """The excerpt with raised-cosine fades of 5 ms at both ends; shorter where the clip ends."""
    start = round(start_s * audio.rate_hz)
    samples = audio.samples[:, start : start + round(duration_s * audio.rate_hz)]
    length = min(round(FADE_S * audio.rate_hz), samples.shape[1] // 2)
    envelope = np.ones(samples.shape[1])
    envelope[:length] = 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(length, 1))
    envelope[samples.shape[1] - length :] = envelope[:length][::-1]
    return Audio((samples * envelope).astype(np.float32), audio.rate_hz)


def true_peak_dbtp(audio: Audio) -> float:
    """True peak, dB relative to full scale (ITU-R BS.1770-4, annex 2); lower is safer.

    The largest of all channels after oversampling; minus infinity for digital silence.
    """
    around = round(_SILENCE_AROUND_S * audio.rate_hz)
    padded = Audio(np.pad(audio.samples, [(0, 0), (around, around)]), audio.rate_hz)
    peak = float(np.abs(resample(padded, _OVERSAMPLING * audio.rate_hz).samples).max())
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def scaled(audio: Audio, gain_db: float) -> Audio:
    """A signal times a gain in dB."""
    factor = 10 ** (gain_db / 20)
    return Audio((audio.samples.astype(np.float64) * factor).astype(np.float32), audio.rate_hz)


def gains(signals: Mapping[str, Audio], level: Level) -> tuple[dict[str, float], float]:
    """Gains in dB that bring an item to the level asked for: one for all conditions.

    A gain per condition would hide a codec's own errors of level. The reference goes to the
    loudness asked for; where that would bring any condition above the true peak asked for, all are
    lowered together (castanets have peaks 31 dB above their RMS), by the second value in dB.
    """
    wanted: dict[str, float] = {}
    for name in signals if level.match_per_condition else (REFERENCE,):
        loudness = loudness_lufs(signals[name])
        if loudness is None:
            raise AudioError(
                f"{name} has no loudness: the excerpt is silent (under -70 LUFS) or shorter than "
                "0.4 s; choose another excerpt or clip"
            )
        wanted[name] = level.loudness_lufs - loudness
    wanted = {name: wanted.get(name, wanted[REFERENCE]) for name in signals}
    highest = max(true_peak_dbtp(signal) + wanted[name] for name, signal in signals.items())
    lowered = max(0.0, highest - level.true_peak_dbtp)
    return {name: gain - lowered for name, gain in wanted.items()}, lowered


# ------------------------------------------------------------------------------------ making them
def make_stimuli(folder: Path, test: ListeningTest, *, progress: Progress | None = None) -> Facts:
    """Make the stimuli of a test in its folder, in place of older ones.

    `UserError` if the test has answers to others, its run is not found or another one, or a
    stimulus cannot be made or written.
    """
    if (folder / ANSWERS_FILE).exists():
        try:
            read_facts(folder, test)
        except UserError as error:
            raise UserError(
                f"{folder} has answers to other stimuli, in {ANSWERS_FILE}; make a new test with "
                "'snacbench mushra design', or remove the file if these answers were only a try"
            ) from error
    run, found = RunSignals.behind(folder, test), {}
    items, progress = (*test.items, *test.training), progress or Silent()
    progress.begin("stimuli", len(items))
    kept, folder_of = folder / FACTS_FILE, folder / STIMULI_FOLDER
    with writing(f"stimuli of {test.id}"), atomic(kept) as told, atomic(folder_of) as partial:
        for item in items:
            found[item.id] = make_item(run, test, item, partial)
            progress.step("stimuli")
        facts = Facts(
            __version__, design_sha256(test), test.run_id, test.set_sha256, RATE_HZ, "wav", found
        )
        text = json.dumps(to_jsonable(facts), indent=1, ensure_ascii=False, allow_nan=False)
        told.write_text(f"{text}\n", "utf-8")
        # Whoever finds stimuli.json finds the stimuli that it tells of.
        kept.unlink(missing_ok=True)
    return facts


def make_item(run: RunSignals, test: ListeningTest, item: Item, target: Path) -> ItemFacts:
    """Write every condition of an item into the folder `target`, and measure it.

    Filters and delays work on the whole clip, so that an excerpt has no edges of its own.
    `UserError` if a signal is not at hand, silent, or ends before the excerpt does.
    """
    signals: dict[str, Audio] = {}
    delays: dict[str, tuple[int, int]] = {}
    try:
        reference = resample(run.source(item.clip), RATE_HZ)
        end_s = item.start_s + item.duration_s
        if end_s > reference.duration_s + 0.5 / RATE_HZ:
            raise AudioError(
                f"the excerpt ends at {end_s:g} s, the clip at {reference.duration_s:g} s; change "
                "start_s or duration_s"
            )
        for name in test.conditions:
            whole = reference
            if name in ANCHOR_CUTOFFS_HZ:
                whole = low_pass(reference, ANCHOR_CUTOFFS_HZ[name])
            elif name != REFERENCE:
                whole, delays[name] = run.decoded(item.clip, name, reference.num_samples)
            signals[name] = cut(whole, item.start_s, item.duration_s)
        gain_db, lowered_db = gains(signals, test.level)
        signals = {name: scaled(signal, gain_db[name]) for name, signal in signals.items()}
        shapes = {signal.samples.shape for signal in signals.values()}
        if len(shapes) != 1:  # files of other sizes would tell conditions apart
            raise AudioError(f"its conditions differ in length or channels: {sorted(shapes)}")
    except ClipError as error:
        raise UserError(f"item {item.id} ({item.clip}): {error}") from error

    def rounded(value: float | None) -> float | None:
        return None if value is None or not math.isfinite(value) else round(value, 3)

    stimuli = {}
    for name, signal in signals.items():
        file = stimulus_file(item.id, name)
        place = target / Path(file).relative_to(STIMULI_FOLDER)
        write_wav(place, signal)
        stimuli[name] = StimulusFacts(
            file, sha256_of_file(place), place.stat().st_size, round(gain_db[name], 3),
            rounded(loudness_lufs(signal)), rounded(true_peak_dbtp(signal)), *delays.get(name, ()),
        )  # fmt: skip
    reference = signals[REFERENCE]
    warnings = []
    for name in ANCHOR_CUTOFFS_HZ.keys() & test.conditions:
        above_db = energy_above_db(reference, ANCHOR_CUTOFFS_HZ[name])
        if above_db < NEARLY_TRANSPARENT_DB:
            warnings.append(
                f"the {ANCHOR_CUTOFFS_HZ[name] / 1000:g} kHz anchor is nearly transparent: "
                f"{above_db:.0f} dB of the energy lie above it"
            )
    if lowered_db > 0:
        asked = f"{test.level.loudness_lufs:g} LUFS"
        warnings.append(f"{lowered_db:.1f} dB below {asked}, for the sake of peaks")
    return ItemFacts(
        item.clip, reference.num_samples, reference.channels, round(lowered_db, 3),
        rounded(energy_above_db(reference, 7_000)), tuple(sorted(warnings)), stimuli,
    )  # fmt: skip
