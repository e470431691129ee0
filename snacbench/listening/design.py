"""From a run to a listening test: its systems, items, excerpts, its file, and who hears what."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.lib.stride_tricks import sliding_window_view

from snacbench import __version__
from snacbench.errors import StoreError, UnknownName, UserError, did_you_mean
from snacbench.files import atomic
from snacbench.listening.stimuli import Facts, Format, RunSignals, make_stimuli
from snacbench.listening.test import (
    DOCS,
    MAX_EXCERPT_S,
    MAX_SYSTEMS,
    REFERENCE,
    TEST_FILE,
    Form,
    Item,
    Level,
    ListeningTest,
    System,
)
from snacbench.listening.texts import texts_of
from snacbench.listening.webmushra import export_webmushra
from snacbench.rows import ClipMeasures, Coded
from snacbench.store.run_folder import RunFolder
from snacbench.types import DOMAINS, Audio, Clip, CodecSpec
from snacbench.units import kbps

DEFAULT_EXCERPT_S = 10.0

# ITU-R BS.1534-3: about 1.5 times as many items as systems, 5 at least.
_ITEMS_PER_SYSTEM = 1.5
_FEWEST_ITEMS = 6  # rather than 5: two of each of three domains
_SHORTEST_S = 1.0  # nobody can judge less; clips may still be named
_SHORTEST_EXCERPT_S = 2.0

_RATE_TOLERANCE = 0.05
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?:kbps)?")

_HOP_S = 0.01
_AROUND_HOPS = 5  # what one hears around a cut
_TOLERANCE = 0.15  # cuts move the length by so much of it, to be quiet
_RANGE_DB = 50.0  # a cut that far under the loudest part is as quiet as it needs to be
_DB_PER_S_AWAY = 0.5  # between cuts about as quiet, the length nearer to the one asked for


def design(  # noqa: PLR0913 - keyword-only wishes for one test
    folder: RunFolder,
    target: Path,
    *,
    systems: Sequence[str] = (),
    num_items: int | None = None,
    items: Sequence[str] = (),
    training: int = 1,
    form: Form = "mushra",
    pages_per_listener: int | None = None,
    seed: int = 0,
    title: str = "",
    language: str = "en",
    excerpt_s: float = DEFAULT_EXCERPT_S,
    match_per_condition: bool = False,
    begin: Callable[[int], None] = lambda _: None,
    step: Callable[[], None] = lambda: None,
) -> ListeningTest:
    """The test that is to stand in a folder; nothing is written.

    Parameters
    ----------
    systems : sequence of str
        Selectors; empty: all codecs of the run but anchors.
    num_items : int or None
        Named ones included; None: as many as are named, or 1.5 times as many as systems.
    items : sequence of str
        Clips that are to be among the items, by id or by how it ends.
    training : int
        Pages to practise on.
    begin, step : callable
        Told how many excerpts are to be cut, and that another one is.

    Raises
    ------
    UserError
        If systems or items are not in the run, are too many, or cannot be heard.
    """
    if not _SHORTEST_EXCERPT_S <= excerpt_s <= MAX_EXCERPT_S:
        raise UserError(
            f"--excerpt-s {excerpt_s:g}: excerpts are {_SHORTEST_EXCERPT_S:g} to "
            f"{MAX_EXCERPT_S:g} s long (ITU-R BS.1534-3: about 10 s, 12 at most)"
        )
    run, codecs = RunSignals.of(folder), chosen_systems(systems, folder.run.codecs)
    if form == "ab" and len(codecs) < 2:
        raise UserError(f"form ab compares systems with each other, found one: {codecs[0].name}")
    rated, practice = _choose_clips(
        run, codecs, items, num_items=num_items, training=training, seed=seed
    )
    if pages_per_listener and form.startswith("mushra") and pages_per_listener > len(rated):
        raise UserError(
            f"--pages-per-listener {pages_per_listener}, but there are {len(rated)} items; leave "
            "it out, so that everybody rates all of them"
        )
    begin(len(rated) + len(practice))
    texts = texts_of(language)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", target.absolute().name).strip("-_.")
    return ListeningTest(
        id=name[:64] or "test",
        title=title or texts.title,
        form=form,
        seed=seed,
        run=Path(os.path.relpath(folder.path.absolute(), target.absolute())).as_posix(),
        run_id=folder.run.id,
        set_sha256=folder.run.set_sha256,
        systems=tuple(System(name=c.name, kbps=actual_kbps(c.name, run.coded)) for c in codecs),
        items=_items(run, rated, excerpt_s, "", step),
        training=_items(run, practice, excerpt_s, "training", step),
        pages_per_listener=pages_per_listener,
        level=Level(match_per_condition=match_per_condition),
        language=language,
        welcome=texts.welcome,
        consent=texts.consent,
        questionnaire=texts.questionnaire,
        made_by=f"snacbench {__version__}",
    )


def _items(
    run: RunSignals, clips: Sequence[Clip], wanted_s: float, name: str, step: Callable[[], None]
) -> tuple[Item, ...]:
    """Items named by `name`, or else their domain, and a number, such as ``speech-2``."""
    seen: Counter[str] = Counter()
    items = []
    for clip in clips:
        start_s, duration_s = choose_excerpt(run.source(clip.id), wanted_s)
        kind = name or ("item" if clip.domain == "unknown" else clip.domain)
        seen[kind] += 1
        id_, excerpt = f"{kind}-{seen[kind]}", {"start_s": start_s, "duration_s": duration_s}
        items.append(Item(id=id_, clip=clip.id, domain=clip.domain, **excerpt))
        step()
    return tuple(items)


def check_free(target: Path) -> None:
    """Refuse a folder for a new test that holds anything.

    Raises
    ------
    StoreError
    """
    if (target / TEST_FILE).exists():
        raise StoreError(
            f"{target} already holds a test; choose another folder with -o, or edit its "
            f"{TEST_FILE} and make its stimuli again: snacbench mushra stimuli {target}"
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(f"{target} is not empty; choose a new or empty folder with -o")


def make_test(  # noqa: PLR0913 - keyword-only options of one folder
    target: Path,
    test: ListeningTest,
    *,
    format_: Format = "wav",
    webmushra: bool = False,
    begin: Callable[[int], None] = lambda _: None,
    step: Callable[[], None] = lambda: None,
) -> Facts:
    """Write a test's folder: its file and its stimuli, whole or not at all.

    Parameters
    ----------
    webmushra : bool
        Also write what webMUSHRA needs.
    begin, step : callable
        As for `make_stimuli`.

    Raises
    ------
    UserError
        If a stimulus cannot be made, or the form is not one of webMUSHRA's.
    StoreError
        If the folder is taken or cannot be written, or the disk is full.
    """
    check_free(target)
    # Beside its place: the run is found from there by the same relative path.
    try:
        with atomic(target.absolute()) as partial:
            partial.mkdir()
            write_test(partial, test)
            facts = make_stimuli(partial, test, format_=format_, begin=begin, step=step)
            if webmushra:
                export_webmushra(partial, test, facts)
    except OSError as error:
        raise StoreError(
            f"cannot write the test to {target} ({error.strerror or error}); choose another folder "
            "with -o, or free some space"
        ) from error
    return facts


# ------------------------------------------------------------------------------------------ systems


def chosen_systems(selectors: Sequence[str], codecs: Sequence[CodecSpec]) -> tuple[CodecSpec, ...]:
    """Codecs of a run that selectors name, in the order asked for; all but anchors if none are.

    A selector is a name (``opus@14kbps``), a model or family (``opus``: all its points in the
    run), or either with a rate (``opus@14``: within 5 %), as for ``snacbench run --codecs``.

    Raises
    ------
    UnknownName
        If the run has no such codec.
    UserError
        If there are more than nine, or none at all.
    """
    chosen = {spec.name: spec for spec in codecs if not (selectors or spec.anchor)}
    for selector in selectors:
        for field in ("name", "model", "family"):
            found = [spec for spec in codecs if getattr(spec, field) == selector]
            if found:
                break
        else:
            found = [_at_rate(selector, codecs)]
        chosen |= {spec.name: spec for spec in found}
    if not chosen:
        raise UserError("the run has no codecs besides anchors; name some with --systems")
    if len(chosen) > MAX_SYSTEMS:
        raise UserError(
            f"a page holds up to {MAX_SYSTEMS} systems (ITU-R BS.1534-3: 12 signals, reference and "
            f"two anchors among them), found {len(chosen)}: {', '.join(chosen)}; choose with "
            "--systems"
        )
    return tuple(chosen.values())


def _at_rate(selector: str, codecs: Sequence[CodecSpec]) -> CodecSpec:
    """The operating point nearest to the rate of a selector, if one is within 5 % of it."""
    head, _, point = selector.rpartition("@")
    number = _NUMBER.fullmatch(point.lower())
    wanted = float(number[1]) if head and number else math.nan
    near = {
        abs(spec.nominal_kbps - wanted): spec
        for spec in codecs
        if head in (spec.model, spec.family)
        and spec.nominal_kbps is not None
        and abs(spec.nominal_kbps - wanted) <= _RATE_TOLERANCE * wanted
    }
    if not near:
        raise UnknownName(
            f"--systems {selector}: the run has no such codec; "
            f"{did_you_mean(selector, [spec.name for spec in codecs])}"
        )
    return near[min(near)]


def actual_kbps(codec: str, coded: Mapping[tuple[str, str], Coded]) -> float | None:
    """All bits that a decoder needs, over all of the run; None where they were not weighed."""
    rows = [row for (_, name), row in coded.items() if name == codec and row.status == "ok"]
    if not rows or any(row.bits is None or not row.duration_s for row in rows):
        return None
    bits = sum(row.bits.total for row in rows if row.bits)
    return round(kbps(bits, math.fsum(row.duration_s or 0.0 for row in rows)), 3)


# -------------------------------------------------------------------------------------------- items


def _choose_clips(  # noqa: PLR0913 - all that the choice depends on
    run: RunSignals,
    codecs: Sequence[CodecSpec],
    names: Sequence[str],
    *,
    num_items: int | None,
    training: int,
    seed: int,
) -> tuple[list[Clip], list[Clip]]:
    """Clips of the rated pages, named ones first, and of those to practise on."""
    why = {id_: run.why_unheard(id_, [spec.name for spec in codecs]) for id_ in run.clips}
    lost = {id_: reason for id_, reason in why.items() if reason}
    heard = {id_: clip for id_, clip in run.clips.items() if id_ not in lost}
    first = named(names, heard, lost)
    if num_items is not None and num_items < len(first):
        raise UserError(f"--items {num_items}, but {len(first)} are named with --item")
    usual = len(first) or max(_FEWEST_ITEMS, math.ceil(_ITEMS_PER_SYSTEM * len(codecs)))
    number = usual if num_items is None else num_items
    measures = {row.clip: row.measures for row in run.folder.read(ClipMeasures)}
    fit = []  # long enough and, where that was measured, not silent
    for clip in heard.values():
        known = clip.measures or measures.get(clip.id)
        if clip.duration_s >= _SHORTEST_S and not (known and known.loudness_lufs is None):
            fit.append(clip)
    rest = [clip for clip in in_order_of_choice(fit, seed) if clip not in first]
    items, left = [*first, *rest[: number - len(first)]], rest[number - len(first) :]
    if len(items) < number:
        example = "".join(
            f" ({len(lost)} cannot, for example {id_}: {reason})"
            for id_, reason in list(lost.items())[:1]
        )
        raise UserError(
            f"{number} items were asked for, and only {len(items)} clips of the run can be heard "
            f"through all {len(codecs)} systems{example}; ask for fewer with --items"
        )
    if training > len(left):
        raise UserError(
            f"{training} training pages were asked for, and {len(left)} clips are left beside "
            f"the {number} items; ask for fewer with --items or --training"
        )
    return items, left[:training]


def in_order_of_choice(clips: Sequence[Clip], seed: int) -> list[Clip]:
    """All clips, the ones to be taken first in front.

    One of each domain in turn; within a domain by a hash of seed and id, clips of a speaker or
    track that has been heard already after all others. Of two counts the smaller one's choice
    is part of the larger one's, and clips that join the run change little.
    """
    by_hash = sorted(clips, key=lambda c: hashlib.sha256(f"{seed}\0{c.id}".encode()).hexdigest())
    queues = []
    for domain in DOMAINS:
        heard: Counter[str] = Counter()
        turns: list[tuple[int, int, Clip]] = []
        for clip in (c for c in by_hash if c.domain == domain):
            own = clip.cluster or f"\0{clip.id}"
            turns.append((heard[own], len(turns), clip))
            heard[own] += 1
        queues.append([clip for *_, clip in sorted(turns, key=lambda turn: turn[:2])])
    taken = itertools.chain.from_iterable(itertools.zip_longest(*queues))
    return [clip for clip in taken if clip is not None]


def named(
    names: Sequence[str], clips: Mapping[str, Clip], refused: Mapping[str, str]
) -> list[Clip]:
    """The clips that a user names, by id or by how an id ends, in that order.

    Parameters
    ----------
    clips : mapping from id to Clip
        Those that can be heard.
    refused : mapping from id to str
        Why others cannot.

    Raises
    ------
    UserError
        If there is no such clip, more than one, one twice, or one that cannot be heard.
    """
    ids, found = [*clips, *refused], dict[str, Clip]()
    for name in names:
        matches = [name] if name in ids else [id_ for id_ in ids if id_.endswith(f"/{name}")]
        if len(matches) > 1:
            raise UserError(f"--item {name}: more than one clip ends so: {', '.join(matches)}")
        if not matches:
            known = [*ids, *(id_.rpartition("/")[2] for id_ in ids)]
            raise UserError(f"--item {name}: the run has no such clip; {did_you_mean(name, known)}")
        (id_,) = matches
        if id_ in refused:
            raise UserError(f"--item {name}: {id_} cannot be heard: {refused[id_]}")
        if id_ in found:
            raise UserError(f"--item {name}: {id_} is named twice; name each clip once")
        found[id_] = clips[id_]
    return list(found.values())


def choose_excerpt(audio: Audio, wanted_s: float = DEFAULT_EXCERPT_S) -> tuple[float, float]:
    """Start and duration, in seconds, of the excerpt of a clip.

    A clip that is not much longer than `wanted_s` is taken whole. Of a longer one, an excerpt of
    about that length which is loud within and quiet at both ends; the first such one.

    Returns
    -------
    tuple of float
        Start and duration in whole hundredths of a second, or the whole clip.
    """
    longest_s = min(wanted_s * (1 + _TOLERANCE), MAX_EXCERPT_S)
    if audio.duration_s <= longest_s:
        return 0.0, round(audio.duration_s, 6)
    hop = round(_HOP_S * audio.rate_hz)
    count = audio.num_samples // hop
    squares = audio.samples[:, : count * hop].astype(np.float64) ** 2
    power = squares.mean(axis=0).reshape(count, hop).mean(axis=1)
    padded = np.pad(power, (_AROUND_HOPS // 2, _AROUND_HOPS - 1 - _AROUND_HOPS // 2), mode="edge")
    around = sliding_window_view(padded, _AROUND_HOPS).mean(axis=1)
    level_db = 10 * np.log10(around / max(float(around.max()), 1e-20) + 10 ** (-_RANGE_DB / 10))
    # Cuts lie between hops; the first and the last are the clip's own ends.
    cut_db = np.minimum(np.append(level_db, level_db[-1]), np.append(level_db[0], level_db))
    energy = np.append(0.0, np.cumsum(power))
    best = (math.inf, 0, 0)
    longest = min(int(longest_s / _HOP_S), count)
    for length in range(round(wanted_s * (1 - _TOLERANCE) / _HOP_S), longest + 1):
        within = (energy[length:] - energy[:-length]) / length
        within_db = 10 * np.log10(within / max(float(energy[-1]), 1e-20) + 1e-12)
        cost = (cut_db[length:] + cut_db[:-length]) / 2 - within_db
        cost += _DB_PER_S_AWAY * abs(length * _HOP_S - wanted_s)
        start = int(np.argmin(cost))
        if cost[start] < best[0]:
            best = (float(cost[start]), start, length)
    return round(best[1] * _HOP_S, 3), round(best[2] * _HOP_S, 3)


# ----------------------------------------------------------------------------------- who hears what


@dataclass(frozen=True)
class Page:
    """One page of one listener.

    Attributes
    ----------
    number : int
        Place among all pages of the listener, training included.
    training : bool
        For practice: its answers count for nothing.
    conditions : tuple of str
        In the order in which they stand on the page. For ``ab`` the two sides; for ``abx`` three:
        A, B, and what X is. For MUSHRA the hidden reference is one of them; the open reference
        is not.
    """

    number: int
    kind: Literal["mushra", "ab", "abx"]
    item: str
    conditions: tuple[str, ...]
    training: bool = False


Trial = tuple[str, tuple[str, ...], int]
"""An item; what ``ab`` and ``abx`` compare on it, empty in MUSHRA; which repetition it is."""


def pages_of(test: ListeningTest, listener_number: int) -> tuple[Page, ...]:
    """All pages of the `listener_number`-th listener (from 0), training pages first.

    A pure function of the test and the number. What is dealt out are trials: an item in MUSHRA, an
    item with a pair of conditions else. Listeners are served in rounds of as many as there are
    trials, each shuffled anew:

    - Where everybody gets all trials, the orders of a round are the rows of a Williams design:
      every trial comes at every place equally often, and (over one round for an even number of
      trials, over two for an odd one) directly after every other trial equally often (Williams,
      "Experimental designs balanced for the estimation of residual effects of treatments", Aust.
      J. Sci. Res. A 2, 1949).
    - Where everybody gets some, they are consecutive ones of a shuffled circle of trials. Over a
      round every trial comes at every place exactly once. Consecutive listeners go on where the
      last one ended, so that a test that ends early has heard its trials almost equally often.

    The conditions of a page are shuffled per listener and page.
    """
    trials = _trials(test, test.items)
    count = len(trials)
    take = min(test.pages_per_listener or count, count)
    turn, place = divmod(listener_number, count)
    circle = _random(test, "round", turn).permutation(count)
    if take == count:  # row of a Williams design: 0, 1, n-1, 2, n-2, ...; mirrored in odd rounds
        zigzag = [(k + 1) // 2 if k % 2 else (count - k // 2) % count for k in range(count)]
        row = [(value + place) % count for value in zigzag][:: -1 if turn % 2 else 1]
    else:
        lap = count // math.gcd(count, take)  # after so many listeners a circle is worn evenly
        row = [(place * take + place // lap + j) % count for j in range(take)]
    practice: dict[str, Trial] = {}  # the first trial of each item
    for item, pair, _ in _trials(test, test.training):
        practice.setdefault(item, (item, pair, -1))
    chosen = [*practice.values(), *(trials[circle[i]] for i in row)]
    pages = []
    for number, (item, pair, repeat) in enumerate(chosen):
        rng = _random(test, "page", listener_number, item, *pair, repeat)
        kind: Literal["mushra", "ab", "abx"] = "mushra"
        if pair:
            kind = "ab" if test.form == "ab" else "abx"
            shown = pair if rng.integers(2) else pair[::-1]
            shown += (shown[int(rng.integers(2))],) if kind == "abx" else ()
        else:
            shown = tuple(test.conditions[i] for i in rng.permutation(len(test.conditions)))
        pages.append(Page(number, kind, item, shown, number < len(practice)))
    return tuple(pages)


def num_trials(test: ListeningTest) -> int:
    """How many different rated pages the test has."""
    return len(_trials(test, test.items))


def _trials(test: ListeningTest, items: Sequence[Item]) -> list[Trial]:
    names = [system.name for system in test.systems]
    pairs: list[tuple[str, ...]]
    if test.form == "ab":
        pairs = list(itertools.combinations(names, 2))
    elif test.form == "abx":
        pairs = [(REFERENCE, name) for name in names]
    else:
        return [(item.id, (), 0) for item in items]
    return [(i.id, pair, turn) for turn in range(test.repeats) for i in items for pair in pairs]


def _random(test: ListeningTest, *of: object) -> np.random.Generator:
    text = "\0".join(map(str, (test.seed, *of)))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


# ---------------------------------------------------------------------------------------- test.yaml

_HEAD = f"""\
# A listening test, made by 'snacbench mushra design'; {DOCS} explains every field.
#
# Texts, questions and pages may be changed until the first listener has begun. After a change of
# items, systems, form or level, make the stimuli again: snacbench mushra stimuli FOLDER
"""

# Every field in the order of the file, with its comment; None: directly under the one before.
_FIELDS: Mapping[str, str | None] = {
    "id": "Names the test in results.",
    "title": None,
    "form": "mushra, mushra-no-anchors, ab or abx.",
    "language": "Of the page's own texts; the texts below stand as they are.",
    "contact": "Whom listeners may ask, for example 'Ada Byron <ada@example.org>'.",
    "welcome": "",
    "consent": "Listeners agree to this before they begin. Check it against your own rules.",
    "questionnaire": "kind: choice (with choices), text or number; required: false may be skipped.",
    "systems": "Operating points of the run, with their actual rate over it in kbps.",
    "items": "One page each: an excerpt of a clip of the run.",
    "training": "Pages to practise on, before the test; their ratings count for nothing.",
    "pages_per_listener": "Everybody rates so many pages, a balanced subset; null: all.",
    "repeats": "In ab and abx: how often a pair of an item is asked.",
    "allow_tie": "In ab: 'no preference' is an answer.",
    "level": "One gain for all conditions of an item, lowered until none exceeds the true peak.",
    "seed": "Which clips were chosen, and who gets which pages in which order.",
    "run": "Where the sound came from; results go back into this run.",
    "run_id": None,
    "set_sha256": None,
    "version": None,
    "made_by": None,
}


class _Dumper(yaml.SafeDumper):
    """Lists indented under their field; texts of paragraphs folded, a blank line between them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _as_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    lines = text.removesuffix("\n").split("\n")
    plain = all(line and line == line.strip() and line.isprintable() for line in lines)
    # Quotes keep what the other styles lose: odd spaces, ends of lines and blank lines.
    style = (">" if "\n" in text else None) if plain or not text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _as_text)


def test_text(test: ListeningTest) -> str:
    """The content of ``test.yaml``: every field, in a fixed order, with comments."""
    told: dict[str, Any] = test.model_dump(mode="json")
    for question in told["questionnaire"]:
        if not question["choices"]:
            del question["choices"]
    text = _HEAD
    for name, comment in _FIELDS.items():
        text += "" if comment is None else f"\n# {comment}\n" if comment else "\n"
        text += yaml.dump(
            {name: told[name]},
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            width=100,
            # None: what holds plain values alone stands in one line, such as an item or a system.
            default_flow_style=None if name in ("systems", "items", "training", "level") else False,
        )
    return text


test_text.__test__ = False  # type: ignore[attr-defined]  # keeps pytest from calling it a test


def write_test(folder: Path, test: ListeningTest) -> Path:
    """Write ``test.yaml`` into a folder and return its path."""
    path = folder / TEST_FILE
    path.write_text(test_text(test), "utf-8")
    return path
