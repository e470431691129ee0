"""A run as one file to hand over: a zip without audio, the same bytes for the same run.

Beside rows it holds ``bundle.json``, with a short digest of every row so that a changed one can be
named, and ``MANIFEST``, the sha256 of all other members as ``sha256sum -c`` reads it. The sha256 of
``MANIFEST`` is the bundle's id (docs/bundles.md).
"""

import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain, count
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from snacbench import __version__
from snacbench.errors import StoreError
from snacbench.files import atomic, writing
from snacbench.rows import Embedded
from snacbench.settings import cache_folder
from snacbench.store.consistency import Consistency, Finding, named
from snacbench.store.embeddings import embeddings_name, kept
from snacbench.store.jsonl import from_json, to_jsonable
from snacbench.store.run_folder import RUN_FILE, RunFolder
from snacbench.types import Clip

ABOUT, _MANIFEST, _FORMAT, _SHORT = "bundle.json", "MANIFEST", 1, 8  # digits of a row's digest
_MEMBER = re.compile(
    r"MANIFEST|[\w-]+\.(jsonl?|csv|txt|yaml)|embeddings/[0-9a-f]{2}/[0-9a-f]{64}\.npy", re.ASCII
)
# Bytes of all members unpacked, of one in memory, and how many times its size in the zip one is.
_MOST, _MOST_TEXT, _MOST_TIMES = 2**36, 2**28, 300
# Names and words, which are no places; what a line may hold a path after; a path of a recording in
# the name of a condition; folders of one that nobody knows of, before its last part.
_NAMES = {"id", "clip", "codec", "metric", "name", "transcript", "speaker", "cluster", "packed"}
_PLACE = re.compile(rb"(?<!\w)/|[~.]\w*/|%2F|\\\w+/")
_RECORDING = re.compile(r"file=(%2F[\w.~%-]*)")
_PARTS = r"(?:[^\s/,;:'\"()]+/)*(?=[^\s/,;:'\")])"


@dataclass
class Contents:
    """What ``bundle.json`` says; `sizes` are bytes of members, `rows` short digests of their lines.

    `created` is when the run began, `missing` and `hidden` are as a `Bundle` has them.
    """

    format: int
    snacbench: str
    run: str
    created: str
    missing: int
    hidden: Mapping[str, int]
    sizes: Mapping[str, int]
    rows: Mapping[str, str]


@dataclass
class Bundle:
    """A bundle that was written, or unpacked into `folder`: `ok` unless something was `found`.

    `hidden` counts by member the rows of which the folders of paths were left out, `missing` the
    codings and scores that the run lacks, `same` by member the lines that are as they were written.
    `facts` say by label what was checked and what was not. Of scores that were to be computed
    again, `scores` tell what they are of, then and now, and `left` by reason which were not: where
    none was, it is not `ok`. `replaced` is the id of the bundle that was there before.
    """

    path: Path
    id: str = ""
    replaced: str = ""
    folder: RunFolder | None = None
    missing: int = 0
    hidden: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    found: list[Finding] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    scores: list[tuple[str, float | None, float | None]] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, and of what was to be computed again anything was."""
        return not self.found and (bool(self.scores) or not self.left)


def write_bundle(
    folder: RunFolder, target: Path, texts: Mapping[str, str], *, partial: bool = False
) -> Bundle:
    """Write a run, and texts by the names of their members, as a bundle, whole or not at all.

    Raises StoreError if rows of the run contradict each other, it is not finished and not
    `partial`, something else than a bundle has that name, or the file cannot be written.
    """
    rows, made = Consistency(folder), Bundle(target, folder=folder)
    if target.exists():
        with suppress(Exception), zipfile.ZipFile(target) as older:
            if {ABOUT, _MANIFEST} <= set(older.namelist()):
                made.replaced = older.comment.decode(errors="replace") or "unknown"
        if not made.replaced:
            raise StoreError(f"{target} is no bundle; take it away, or name another file")
    if wrong := rows.found or ([] if partial else rows.missing):
        what = "contradicts itself" if rows.found else "is not finished"
        advice = "make it again" if rows.found else "go on with --resume, or export it as --partial"
        raise StoreError(f"{folder.path} {what} ({wrong[0]}; {len(wrong)} in all); {advice}")
    members: dict[str, Iterable[bytes]] = {name: [text.encode()] for name, text in texts.items()}
    record = json.dumps(to_jsonable(folder.run), indent=1, ensure_ascii=False)
    hide = _hiding(folder, record)
    members[RUN_FILE] = [_without_places(RUN_FILE, record.encode() + b"\n", hide, made.hidden)]
    for row in folder.read(Embedded):
        for digest in filter(None, (row.reference, row.degraded)):
            kept(folder.path, digest)  # is what it was
            members[embeddings_name(digest)] = _lines(folder.path / embeddings_name(digest))
    for name in rows.counts:
        members[name] = (row for row in _lines(folder.path / name) if row.endswith(b"\n"))
    sizes, shorts, digests = Counter[str](), dict[str, str](), dict[str, str]()

    def add(name: str, lines: Iterable[bytes]) -> None:
        info, digest, short = zipfile.ZipInfo(name), sha256(), list[str]()  # of 1980
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        with archive.open(info, "w", force_zip64=True) as stream:
            for told in lines:
                known = name in rows.counts
                line = _without_places(name, told, hide, made.hidden) if known else told
                sizes[name] += stream.write(line)
                digest.update(line)
                short.append(sha256(line).hexdigest()[:_SHORT])
        digests[name] = digest.hexdigest()
        shorts.update({name: "".join(short)} if name in rows.counts else {})

    whole = atomic(target, sync=True)
    with writing(f"{target}"), whole as file, zipfile.ZipFile(file, "w") as archive:
        for name in sorted(members):
            add(name, members[name])
        about = Contents(
            _FORMAT, __version__, folder.run.id, folder.run.started_utc, len(rows.missing),
            made.hidden, dict(sizes), shorts,
        )  # fmt: skip
        add(ABOUT, [json.dumps(vars(about), indent=1).encode()])
        add(_MANIFEST, [f"{digests[n]}  {n}\n".encode() for n in sorted(digests)])
        archive.comment = digests[_MANIFEST].encode()
    made.id, made.missing = digests[_MANIFEST], len(rows.missing)
    return made


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        yield from stream


def _hiding(folder: RunFolder, record: str) -> Callable[[str], str]:
    """What leaves the folders of paths out of a text, by what is known of a run and its record."""
    run, names = folder.run, dict[str, str]()  # of recordings, no two of which become the same
    paths = {Path.home(), cache_folder(), folder.path.absolute()}
    for quoted in dict.fromkeys(_RECORDING.findall(record)):
        path = Path(unquote(quoted))
        free = chain([path.name], (f"{path.name}~{number}" for number in count(2)))
        name = next(name for name in free if name not in names.values())
        names |= {str(path): name, quoted: quote(name, safe="")}
        paths.add(path)
    weights = *(spec.weights for spec in run.codecs), *run.metric_weights.values()
    asked = json.dumps(to_jsonable((run.request, weights)), ensure_ascii=False)
    for told in map(json.loads, re.findall(r'"(?:[^"\\]|\\.)*"', asked)):
        for text in re.split(r",(?=\s*(?:[^/,]*[=:])?/)", told):
            if found := re.fullmatch(r"(?:[^/]*[=:]|\s*)(/(?!/).+)", text, re.DOTALL):
                paths.add(Path(found[1]))
    every = {place for path in paths for place in (path, *path.parents) if place.name}
    beside = {place for clip in folder.read(Clip) for place in clip.path.parents}
    every |= {place for place in beside if re.search(r"[\s,;:'\"()]", place.name)}
    named, known = (
        "|".join(map(re.escape, sorted(texts, key=len, reverse=True))) or "(?!)"
        for texts in (names, map(str, every))
    )
    place = re.compile(
        rf"(?<!\w)(?:{named})(?![\w~%-]|\.\w)|(?<=file=)%2F(?:[\w.~%-]*%2F)?"
        rf"|(?<!\w)(?:(?i:file):)?/*(?:{known})/(?!\Z)(?:{_PARTS})?"
        rf"|(?:(?i:file):/+|(?<![\w/.:])//|(?<![\w/.])(?:~\w*|\.\.?)?/){_PARTS}"
    )
    return lambda text: place.sub(lambda found: names.get(found[0], ""), text)


def _without_places(
    member: str, line: bytes, hide: Callable[[str], str], hidden: Counter[str]
) -> bytes:
    """JSON without the folders of the machine that it is from; as it is where it names none."""

    def plain(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {hide(name): plain(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner, key) for inner in value]
        if key == "path":  # of a clip, whatever its name is
            return value.rpartition("/")[2] if value.startswith("/") else value
        if not isinstance(value, str) or (key in _NAMES and "%2F" not in value):
            return value
        return hide(value)

    if not _PLACE.search(line) or (now := plain(told := json.loads(line))) == told:
        return line
    hidden[member] += 1
    how = 1 if line.startswith(b"{\n") else None
    return json.dumps(now, indent=how, ensure_ascii=False).encode() + b"\n"


def open_bundle(path: Path, into: Path) -> Bundle:
    """Unpack a bundle into an empty folder and compare each member and row with its digest.

    Nothing is unpacked of what is no bundle, and there is no `folder` then. Raises StoreError if
    the file cannot be read, or the folder not be written.
    """
    opened = Bundle(path)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            opened.found += _dangers(archive.infolist(), path.stat().st_size)
            if opened.ok:
                _unpack(archive, into, opened)
    except OSError as error:
        text = f"cannot read {path} ({error.strerror or error}); name a bundle"
        raise StoreError(text) from error
    except Exception as error:  # noqa: BLE001 - whatever comes of a damaged or a made-up file
        opened.found.append(Finding(path.name, f"it is no whole bundle: {error}"))
    return opened


def _dangers(members: list[zipfile.ZipInfo], size_bytes: int) -> Iterator[Finding]:
    names = Counter(info.filename for info in members)
    for info in members:
        name, most = info.filename, max(2**20, _MOST_TIMES * info.compress_size)
        most = min(most, _MOST if name.endswith((".jsonl", ".npy")) else _MOST_TEXT)
        if info.orig_filename != name or not _MEMBER.fullmatch(name) or names[name] > 1:
            yield Finding(name, "no bundle has such a member, or it is there twice")
        elif info.file_size > most:
            yield Finding(name, f"{info.compress_size} bytes that would become {info.file_size}")
    whole, packed = (sum(getattr(i, f"{k}_size") for i in members) for k in ("file", "compress"))
    if whole > _MOST or packed > size_bytes:
        yield Finding(_MANIFEST, "members lie over each other, or are too large together")


def _unpack(archive: zipfile.ZipFile, into: Path, opened: Bundle) -> None:
    manifest, content = archive.read(_MANIFEST), archive.read(ABOUT)
    opened.id, names, sizes = sha256(manifest).hexdigest(), archive.namelist(), dict[str, int]()
    if (found := json.loads(content)["format"]) > _FORMAT:
        raise ValueError(f"its format is {found}, this snacbench reads {_FORMAT}")
    about = from_json(content, Contents, origin=ABOUT)
    opened.missing = about.missing
    if archive.comment != opened.id.encode():
        opened.found.append(Finding(_MANIFEST, "it was changed: the archive states another id"))
    said = {line[66:]: line[:64] for line in manifest.decode().splitlines()}
    for name in sorted({*said, *names} - {_MANIFEST}):
        if name not in said or name not in names:
            what = "taken away" if name in said else "added: MANIFEST does not name it"
            opened.found.append(Finding(name, f"this file was {what}"))
            continue
        now, digest = list[str](), sha256()
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        with archive.open(name) as stream, (into / name).open("wb") as file:
            while line := stream.readline(_MOST_TEXT):
                file.write(line)
                digest.update(line)
                now.append(sha256(line).hexdigest()[:_SHORT])
        found, then = digest.hexdigest(), re.findall("." * _SHORT, about.rows.get(name, ""))
        if found != said[name] or (name.endswith(".npy") and Path(name).stem != found):
            whose = "".join(f"; it is {other}" for other, its in said.items() if its == found)
            text = f"this file was changed: sha256 {found[:16]}, not {said[name][:16]}{whose}"
            opened.found.append(Finding(name, text))
        elif name != ABOUT:
            sizes[name] = (into / name).stat().st_size
        rows = name.endswith(".jsonl") and then != now
        changes = list(_changes(into / name, then, now)) if rows else []
        opened.found, opened.same[name] = opened.found + changes, len(now) - len(changes)
    opened.folder, changed = RunFolder.open(into), {finding.file for finding in opened.found}
    run = opened.folder.run
    stated = {"run": about.run, "created": about.created, **about.sizes}
    actual = {"run": run.id, "created": run.started_utc, **sizes}
    wrong = [
        f"of {what} it says {stated.get(what)}, found {actual.get(what)}"
        for what in sorted((stated.keys() | actual.keys()) - changed)
        if stated.get(what) != actual.get(what)
    ] + [
        f"of {name} it says that folders are left out of {number} rows, which cannot be"
        for name, number in about.hidden.items()
        if name not in changed and not 0 < number <= (opened.same[name] if name != RUN_FILE else 1)
    ]
    opened.found += [Finding(ABOUT, text) for text in wrong]


def _changes(path: Path, then: list[str], now: list[str]) -> Iterator[Finding]:
    """Which rows of a file are not as they were, by the digests of all of them."""
    left, strange = Counter(then), set[int]()
    for number, digest in enumerate(now, start=1):
        left[digest] -= 1
        strange |= {number} if left[digest] < 0 else set()
    gone = [number for number, digest in enumerate(then, start=1) if left[digest] > 0]
    if len(gone) > len(strange) or not strange:
        lines = ", ".join(map(str, gone[:9]))
        text = f"rows missing: {len(gone) - len(strange)}, among lines {lines} as they were"
        yield Finding(path.name, text if gone else "its rows are in another order")
    what = "changed" if len(strange) <= len(gone) else "changed or added" if gone else "added"
    for number, line in enumerate(_lines(path), start=1):
        if number in strange:
            told = ""
            with suppress(ValueError, AttributeError, TypeError):
                told = named(json.loads(line))
            yield Finding(path.name, f"{told or 'no row'}: this row was {what}", number)
