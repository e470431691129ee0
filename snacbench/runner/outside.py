"""Decodes of an outside codec, brought as files, as a run like any other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from snacbench.audio.channels import downmix
from snacbench.audio.clipping import beyond_full_scale, limited
from snacbench.audio.io import read, read_clip, sha256_of_file, write_flac
from snacbench.audio.resample import resample
from snacbench.audio.silence import missing_sound
from snacbench.errors import ClipError, CodecError, TestSetError, UserError
from snacbench.plugins import codec_families, codec_models
from snacbench.rows import Calibration, Coded
from snacbench.runner.calibrate import residual_delay
from snacbench.runner.execute import describe_run
from snacbench.runner.plan import Request
from snacbench.runner.signals import kept_band_hz, source_signal
from snacbench.store.folder import RunFolder
from snacbench.testsets import TestSet, open_test_set
from snacbench.testsets.folder import files_below
from snacbench.testsets.testset import counted, make_clip, make_set, some_of
from snacbench.types import Audio, Clip, CodecSpec, Domain, Metric

_PAIRS_FOR_DELAY = 12


@dataclass(frozen=True)
class OutsideRequest:
    """Reference and degraded files, and what their maker says of the codec."""

    reference: Path
    degraded: Path
    name: str
    kbps: float | None
    domain: Domain
    metrics: tuple[str, ...] = ()


def import_decodes(request: OutsideRequest, metrics: tuple[Metric, ...], target: Path) -> RunFolder:
    """Create a run whose decoded audio was made elsewhere; it remains to be scored.

    The rate is the one that the user states: nothing here can weigh an outside codec's bits.

    Raises
    ------
    UserError
        If the codec's name is taken by one of snacbench's own, or the rate is not positive.
    TestSetError
        If the two sides cannot be matched.
    """
    _check(request)
    references, pairs = _matched(request)
    spec = CodecSpec(
        name=request.name,
        model=request.name,
        family="outside",
        rate_hz=None,
        channels=(),
        nominal_kbps=request.kbps,
        citation="decoded outside snacbench; rate as stated by the user",
    )
    outline = Request(codecs="", data=str(request.reference), metrics=request.metrics)
    recipe = {**asdict(outline), "outside": {k: str(v) for k, v in asdict(request).items()}}
    facts = {"test set": "; ".join(references.notes)} if references.notes else {}
    run = describe_run(recipe, references, (spec,), metrics, facts)
    folder = RunFolder.create(target, run, references.clips)
    with folder.locked():
        folder.append(_import(folder, clip, pairs.get(clip.id), spec) for clip in references.clips)
        folder.append(
            Coded(b.id, spec.name, "failed", b.reason, b.domain) for b in references.broken
        )
        folder.append([_delay(references, pairs, spec)])
    return folder


def _check(request: OutsideRequest) -> None:
    taken = {*codec_models(), *codec_families()}
    if request.name.partition("@")[0] in taken:
        raise UserError(
            f"--name {request.name} is the name of a codec that snacbench runs itself; choose "
            "another, so that nobody takes one for the other"
        )
    if request.kbps is not None and request.kbps <= 0:
        raise UserError(f"--kbps must be above 0, found {request.kbps:g}")


def _matched(request: OutsideRequest) -> tuple[TestSet, dict[str, Path]]:
    """References as a test set, and for each clip's id the degraded file of the same name."""
    if not request.degraded.exists():
        raise TestSetError(f"--degraded {request.degraded}: no such file or folder")
    if request.reference.is_file() and request.reference.suffix.lower() != ".csv":
        if not request.degraded.is_file():
            raise TestSetError(
                f"--reference is a file and --degraded {request.degraded} is not; give two files "
                "or two folders"
            )
        clip_id = f"files/{request.reference.stem}"
        clip = make_clip(clip_id, request.reference.resolve(), domain=request.domain)
        only = make_set("files", [clip], origin=str(request.reference))
        return only, {clip_id: request.degraded}
    if not request.degraded.is_dir():
        raise TestSetError(
            f"--degraded {request.degraded} is a file and --reference is a set; give two files or "
            "two folders"
        )
    references = open_test_set(str(request.reference), domain=request.domain)
    if request.reference.is_dir():
        root = request.reference.resolve()
        files = [c.path for c in references.clips] + [c.path for c in references.broken]
        _by_name("--reference", root, sorted(files))
    found = files_below(request.degraded)
    names = _by_name("--degraded", request.degraded, found.audio)
    pairs = {
        clip.id: names.pop(name)
        for clip in references.clips
        if (name := clip.id.partition("/")[2]) in names
    }
    for broken in references.broken:
        names.pop(broken.id.partition("/")[2], None)
    if not pairs:
        raise TestSetError(
            f"no file in {request.degraded} has the name of a reference in {request.reference}; "
            "names must match but for the suffix"
        )
    notes = [f"--degraded: {line}" for line in (*found.unreadable, *found.notes)]
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


def _import(folder: RunFolder, clip: Clip, path: Path | None, spec: CodecSpec) -> Coded:
    if path is None:
        reason = "no degraded file of that name"
        return Coded(clip.id, spec.name, "failed", reason, clip.domain, clip.duration_s)
    target = folder.decoded_path(clip.id, spec.name)
    try:
        source, given = source_signal(read_clip(clip), "mono"), read(path)
        degraded = downmix(limited(given))
        band_hz = kept_band_hz(spec, degraded.rate_hz)
        if missing := missing_sound(reference=source, degraded=degraded, band_hz=band_hz):
            raise CodecError(missing)
        clipped = beyond_full_scale(given) + write_flac(target, degraded)
    except ClipError as error:
        return Coded(clip.id, spec.name, "failed", str(error), clip.domain, clip.duration_s)
    return Coded(
        clip=clip.id,
        codec=spec.name,
        status="ok",
        domain=clip.domain,
        duration_s=clip.duration_s,
        decoded=target.relative_to(folder.path).as_posix(),
        decoded_sha256=sha256_of_file(target),
        decoded_rate_hz=degraded.rate_hz,
        channel_mode="decoded elsewhere",
        clipped_samples=clipped,
    )


def _delay(references: TestSet, pairs: dict[str, Path], spec: CodecSpec) -> Calibration:
    """The delay over the files themselves, at the degraded files' rate."""
    signals = list(islice(_signals(references, pairs), _PAIRS_FOR_DELAY))
    if not signals:
        return Calibration(spec.name, 0, 0, 0.0, 0.0, found=False)
    rate_hz = signals[0][1].rate_hz
    same_rate = ((resample(r, rate_hz), d) for r, d in signals if d.rate_hz == rate_hz)
    return residual_delay(spec.name, same_rate, rate_hz)


def _signals(references: TestSet, pairs: dict[str, Path]) -> Iterator[tuple[Audio, Audio]]:
    for clip in references.clips:
        if clip.id in pairs:
            try:
                degraded = downmix(limited(read(pairs[clip.id])))
                yield source_signal(read_clip(clip), "mono"), degraded
            except ClipError:
                continue  # its row says so already
