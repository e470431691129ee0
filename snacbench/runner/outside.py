"""Decodes of an outside codec, brought as files, as a run like any other."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snacbench.audio.channels import downmix
from snacbench.audio.io import read, read_clip, write_flac
from snacbench.audio.levels import beyond_full_scale, limited
from snacbench.audio.resample import fit_length, num_samples_at, resample
from snacbench.audio.silence import missing_sound
from snacbench.errors import ClipError, CodecError, TestSetError, UserError
from snacbench.files import sha256_of_file
from snacbench.plugins import codec_families, codec_models
from snacbench.progress import SILENT, Progress
from snacbench.request import OutsideFiles, Request
from snacbench.rows import DECODED_ELSEWHERE, Coded, ListenerScore
from snacbench.runner.engine import RUNS, describe_run, score_again
from snacbench.runner.plan import check_weight_names, chosen_metrics
from snacbench.runner.preparing import residual_delay
from snacbench.runner.signal_rules import kept_band_hz, source_signal
from snacbench.runner.versions import make_ready
from snacbench.store.run_folder import RUN_FILE, RunFolder, new_folder
from snacbench.testsets import TestSet, open_test_set
from snacbench.testsets.folder import Transcripts, files_below
from snacbench.testsets.testset import clip_of, counted, hash_of, make_set, some_of
from snacbench.types import Audio, Clip, CodecSpec, Metric
from snacbench.units import MS_PER_S, lateness

# Codecs that work in frames return whole ones: of 20 ms, of 40 or 60, and what they look ahead.
_LENGTH_TOLERANCE_S = 0.1
_LENGTH_TOLERANCE_PART = 0.25
_ROUNDING_S = 0.0005  # of lengths at different sampling rates


def score_files(request: Request, *, progress: Progress = SILENT) -> RunFolder:
    """Score two files, or two folders matched by name, as the output of an outside codec.

    `request.data` holds the references, `request.outside` the decodes. What was found of their
    delay and length is told to `progress` as notes.

    Raises UserError as `import_decodes` and `engine.score_again`.
    """
    check_weight_names(request.weights)
    metrics = chosen_metrics(request)
    make_ready(metrics, progress)
    target = request.out or new_folder(RUNS, "-files")
    try:
        folder = import_decodes(request, metrics, target)
    except UserError:
        with suppress(OSError):  # it holds something, or was never made
            target.rmdir()
        raise
    rows = [row for row in folder.read(Coded) if row.status == "ok"]
    changed = [by for row in rows if (by := abs(row.fitted_s or 0.0)) >= _ROUNDING_S]
    length = "as the references"
    if changed:
        length = (
            f"{len(changed)} of {len(rows)} files cut or filled up at the end, by up to "
            f"{max(changed) * MS_PER_S:.1f} ms"
        )
    facts = folder.run.facts
    progress.note(f"delay  {facts['delay']}")
    progress.note(f"length  {length}")
    if notes := facts.get("test set"):
        progress.note(f"files  {notes}")
    return score_again(folder, None, jobs=request.jobs, offline=request.offline, progress=progress)


def import_decodes(request: Request, metrics: Sequence[Metric], target: Path) -> RunFolder:
    """Create a run whose decoded audio was made elsewhere; it remains to be scored.

    The rate is the one that the user states: nothing here can weigh an outside codec's bits.
    Files that are longer or shorter than their reference by up to 0.1 s, and by a quarter of it at
    most, are cut or filled up with zeros at the end; others stay as they are.

    Raises UserError if the codec's name is taken by one of snacbench's own, or the rate is not
    positive. Raises TestSetError if the two sides cannot be matched.
    """
    outside = request.outside
    assert outside is not None
    if outside.name.partition("@")[0] in {*codec_models(), *codec_families()}:
        raise UserError(
            f"--name {outside.name} is the name of a codec that snacbench runs itself; choose "
            "another, so that nobody takes one for the other"
        )
    if outside.kbps is not None and not 0 < outside.kbps < math.inf:
        raise UserError(f"--kbps must be above 0, found {outside.kbps:g}")
    references, pairs = _matched(request, outside)
    spec = CodecSpec(
        name=outside.name, model=outside.name, family="outside", rate_hz=None, channels=(),
        nominal_kbps=outside.kbps, citation="decoded outside snacbench; rate as stated by the user",
    )  # fmt: skip
    found = residual_delay(spec.name, _signals(references, pairs))
    removed_s = found.delay_s if outside.align else 0.0
    said = "not found: the files do not agree on one within 0.5 s"
    said += "; nothing was taken away" if outside.align else ""
    if found.found:
        said = f"{lateness(found.delay_s)} in {found.agreement:.0%} of the files looked at"
        said += ", with inverted polarity" if found.inverted else ""
        said += "; taken away from all files" if removed_s else ""
    run = describe_run(replace(request, out=None), references, (spec,), metrics, {"delay": said})
    folder = RunFolder.create(target, run, references.clips)
    with folder.locked():
        folder.append(
            _import(folder, c, pairs.get(c.id), spec, removed_s) for c in references.clips
        )
        folder.append(
            Coded(b.id, spec.name, "failed", b.reason, b.domain) for b in references.broken
        )
        folder.append([replace(found, delay_s=found.delay_s - removed_s)])
    return folder


def score_rated(  # noqa: PLR0913 - what a run is of
    request: Request,
    references: TestSet,
    specs: Sequence[CodecSpec],
    decodes: Mapping[tuple[str, str], Path],
    ratings: Sequence[ListenerScore],
    *,
    progress: Progress = SILENT,
) -> RunFolder:
    """Make a run of decodes by clip and codec, made elsewhere and rated; or go on with it.

    Files are fitted as by `import_decodes`, and no delay is taken away. UserError as
    `engine.score_again`, and if the request's folder holds a run of other clips or codecs.
    """
    target, metrics = request.out or new_folder(RUNS, "-rated"), chosen_metrics(request)
    make_ready(metrics, progress)
    run = describe_run(replace(request, out=None), references, tuple(specs), metrics, {})
    if not (target / RUN_FILE).is_file():
        folder = RunFolder.create(target, run, references.clips)
    elif (old := (folder := RunFolder.open(target)).run).set_sha256 != run.set_sha256:
        raise UserError(f"{target} is a run of other clips; name another folder")
    elif {c.name: c for c in old.codecs} != {c.name: c for c in specs}:  # in any order
        raise UserError(f"{target} is a run of other codecs than these; name another folder")
    with folder.locked():
        done = {(row.clip, row.codec) for row in folder.read(Coded)}
        for spec in specs:
            of = {clip: path for (clip, codec), path in decodes.items() if codec == spec.name}
            left = [c for c in references.clips if c.id in of and (c.id, spec.name) not in done]
            folder.append(
                Coded(b.id, spec.name, "failed", b.reason, b.domain)
                for b in references.broken
                if b.id in of and (b.id, spec.name) not in done
            )
            if left:
                folder.append(_import(folder, clip, of[clip.id], spec, 0.0) for clip in left)
                folder.append([residual_delay(spec.name, _signals(references, of))])
        folder.replace(ListenerScore, ratings, of=lambda row: True)
    how: dict[str, Any] = {"jobs": request.jobs, "offline": request.offline, "progress": progress}
    return score_again(folder, request.metrics or None, **how)


def _matched(request: Request, outside: OutsideFiles) -> tuple[TestSet, dict[str, Path]]:
    """References as a test set, and for each clip's id the degraded file of the same name."""
    reference, degraded = Path(request.data), outside.degraded
    if not degraded.exists():
        raise TestSetError(f"--degraded {degraded}: no such file or folder")
    one_file = reference.is_file() and reference.suffix.lower() != ".csv"
    if one_file != degraded.is_file():
        kinds = ("a file", "not") if one_file else ("a set", "a file")
        raise TestSetError(
            f"--reference is {kinds[0]} and --degraded {degraded} is {kinds[1]}; give two files or "
            "two folders"
        )
    if one_file:
        clip_id = f"files/{reference.stem}"
        path, transcripts = reference.resolve(), Transcripts()
        said = transcripts.beside(path)
        clip = clip_of(clip_id, path, domain=request.domain, transcript=said)
        one = make_set("files", [clip], origin=str(reference))
        return replace(one, notes=transcripts.notes), {clip_id: degraded}
    references = open_test_set(str(reference), domain=request.domain)
    if reference.is_dir():
        files = [c.path for c in references.clips] + [c.path for c in references.broken]
        _by_name("--reference", reference.resolve(), sorted(files))
    audio, unreadable, left_out = files_below(degraded)
    names = _by_name("--degraded", degraded, audio)
    pairs = {
        clip.id: names.pop(name)
        for clip in references.clips
        if (name := clip.id.partition("/")[2]) in names
    }
    for broken in references.broken:
        names.pop(broken.id.partition("/")[2], None)
    if not pairs:
        raise TestSetError(
            f"no file in {degraded} has the name of a reference in {reference}; "
            "names must match but for the suffix"
        )
    notes = [f"--degraded: {line}" for line in (*unreadable, *left_out)]
    if names:
        notes.append(
            f"{counted(len(names), 'degraded file')} without a reference of that name: "
            f"{some_of(list(names))}"
        )
    return replace(references, notes=(*references.notes, *notes)), pairs


def _by_name(option: str, root: Path, paths: Sequence[Path]) -> dict[str, Path]:
    """Files by their names below a folder, without suffix."""
    names: dict[str, Path] = {}
    for path in paths:
        name = path.relative_to(root).with_suffix("").as_posix()
        if name in names:
            raise TestSetError(
                f"{option} {root} holds {names[name].name} and {path.name}, which differ in their "
                "suffix alone; keep one of them"
            )
        names[name] = path
    return names


def _import(
    folder: RunFolder, clip: Clip, path: Path | None, spec: CodecSpec, removed_s: float
) -> Coded:
    """Read a decode, take away the delay, fit its length, and write it into the run."""
    # The tolerance of the length is for the file as it was or as it is now: a late one may have
    # kept its length, or its end.
    row = Coded(clip.id, spec.name, "failed", "", clip.domain, clip.duration_s)
    if path is None:
        return replace(row, reason="no degraded file of that name")
    target = folder.decoded_path(clip.id, spec.name)
    try:
        source, given = source_signal(read_clip(clip), "mono"), read(path)
        audio = downmix(limited(given))
        rate_hz = audio.rate_hz
        band_hz = kept_band_hz(spec, rate_hz)
        if missing := missing_sound(reference=source, degraded=audio, band_hz=band_hz):
            raise CodecError(missing)
        removed = round(removed_s * rate_hz)
        length = num_samples_at(clip.num_samples, clip.rate_hz, rate_hz)
        now = audio.num_samples - removed
        tolerance_s = min(_LENGTH_TOLERANCE_S, _LENGTH_TOLERANCE_PART * clip.duration_s)
        if min(abs(now - length), abs(audio.num_samples - length)) > tolerance_s * rate_hz:
            length = max(now, 1)
        front = [(0, 0), (max(0, -removed), 0)]
        shifted = np.pad(audio.samples[:, max(0, removed) :], front)
        fitted = Audio(np.ascontiguousarray(fit_length(shifted, length)), rate_hz)
        clipped = beyond_full_scale(given) + write_flac(target, fitted)
    except ClipError as error:
        return replace(row, reason=str(error))
    return replace(
        row, status="ok", decoded=target.relative_to(folder.path).as_posix(),
        decoded_sha256=sha256_of_file(target), decoded_rate_hz=rate_hz,
        channel_mode=DECODED_ELSEWHERE, clipped_samples=clipped,
        removed_delay_s=removed_s or None, fitted_s=(length - now) / rate_hz or None,
    )  # fmt: skip


def _signals(references: TestSet, pairs: Mapping[str, Path]) -> Iterator[tuple[Audio, Audio]]:
    """Some files with their references, at each file's own rate."""
    # They are chosen by hash, so that another clip in the set changes one of them at most.
    by_hash = sorted(references.clips, key=lambda clip: hash_of(clip.id))
    for clip in by_hash[:24]:
        if clip.id in pairs:
            try:
                degraded = downmix(limited(read(pairs[clip.id])))
                source = source_signal(read_clip(clip), "mono")
            except ClipError:
                continue  # its row says so already
            yield resample(source, degraded.rate_hz), degraded
