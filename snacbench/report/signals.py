"""The signals of a clip: its recording and what each codec made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snacbench.audio.channels import downmix
from snacbench.audio.clipping import limited
from snacbench.audio.io import read, read_clip, sha256_of_file
from snacbench.audio.resample import fit_length
from snacbench.errors import AudioError
from snacbench.report.preview import at_preview_rate
from snacbench.rows import Coded
from snacbench.store.folder import RunFolder
from snacbench.types import Audio, Clip


@dataclass(frozen=True)
class Sources:
    """Where the signals of a clip are: its recording, and codec -> row of the decoded audio."""

    clip: Clip | None
    coded: Mapping[str, Coded]


def sources(folder: RunFolder) -> dict[str, Sources]:
    """Clip id -> where its signals are; the last row of a clip and codec counts."""
    clips = {clip.id: clip for clip in folder.read(Clip)}
    coded: dict[str, dict[str, Coded]] = {}
    for row in folder.read(Coded):
        coded.setdefault(row.clip, {})[row.codec] = row
    return {id_: Sources(clips.get(id_), rows) for id_, rows in coded.items()}


def playable(folder: RunFolder, found: Sources) -> bool:
    """Whether any of a clip's signals is on this disk."""
    paths = [folder.path / row.decoded for row in found.coded.values() if row.decoded]
    return any(path.is_file() for path in paths)


def signals_of(
    folder: RunFolder, found: Sources, codecs: Sequence[str], *, longest_s: float
) -> tuple[list[Audio | None], list[str]]:
    """The reference and then each codec's output, None where there is none, and why.

    All are at the page's rate and of one length.
    """
    problems: list[str] = []
    signals = [_reference(folder, found, longest_s, problems)]
    signals += [_decoded(folder, found.coded.get(name), longest_s, problems) for name in codecs]
    known = [signal for signal in signals if signal is not None]
    if not known:
        return signals, problems
    length = (signals[0] or known[0]).num_samples
    return [s and Audio(fit_length(s.samples, length), s.rate_hz) for s in signals], problems


def _reference(
    folder: RunFolder, found: Sources, longest_s: float, problems: list[str]
) -> Audio | None:
    clip = found.clip
    if clip is None:
        problems.append("the run does not say where the recording is")
        return None
    try:
        audio = read_clip(clip)
        if sha256_of_file(clip.path) != clip.sha256:
            problems.append(f"{clip.path} is no longer the file that the run coded")
            return None
    except (AudioError, OSError) as error:
        problems.append(f"the recording is not at hand: {error}")
        return None
    mono = folder.run.request.channels == "mono"
    audio = limited(audio)
    return at_preview_rate(downmix(audio) if mono else audio, longest_s)


def _decoded(
    folder: RunFolder, row: Coded | None, longest_s: float, problems: list[str]
) -> Audio | None:
    if row is None or row.decoded is None:
        return None
    try:
        return at_preview_rate(read(folder.path / row.decoded), longest_s)
    except AudioError as error:
        problems.append(str(error))
        return None
