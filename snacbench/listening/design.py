"""From a run to a listening test: its systems, items, excerpts, its file, and who hears what."""

import hashlib
import math
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.lib.stride_tricks import sliding_window_view

from snacbench import __version__
from snacbench.errors import StoreError, UnknownName, UserError, did_you_mean
from snacbench.files import atomic, writing
from snacbench.forms import FORMS, REFERENCE, FormName
from snacbench.listening.stimuli import Facts, RunSignals, make_stimuli
from snacbench.listening.test import (
    DOCS,
    MAX_EXCERPT_S,
    MAX_SYSTEMS,
    TEST_FILE,
    Item,
    ListeningTest,
    System,
    texts_of,
)
from snacbench.listening.webmushra import export_webmushra
from snacbench.progress import Progress, Silent
from snacbench.rows import ClipMeasures
from snacbench.selectors import among
from snacbench.store.run_folder import RunFolder
from snacbench.tables.run_rows import ALL_DOMAINS, RunRows, actual_kbps_of
from snacbench.types import DOMAINS, Audio, Clip, CodecSpec

DEFAULT_EXCERPT_S = 10.0

# ITU-R BS.1534-3: about 1.5 times as many items as systems, 5 at least.
_ITEMS_PER_SYSTEM = 1.5
_FEWEST_ITEMS = 6  # rather than 5: two of each of three domains
_MANY_PAGES = 150  # of 10 s of sound each they take more than half an hour
_SHORTEST_S = 1.0  # nobody can judge less; clips may still be named
_SHORTEST_EXCERPT_S = 2.0

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
    training: int | None = None,
    form: FormName = "mushra",
    pages_per_listener: int | None = None,
    seed: int = 0,
    title: str = "",
    language: str = "en",
    excerpt_s: float = DEFAULT_EXCERPT_S,
    progress: Progress | None = None,
) -> ListeningTest:
    """The test that is to stand in a folder; nothing is written.

    `systems` are selectors (none: see `chosen_systems`), `items` clips that are to be among the
    items, by id or by how it ends, `num_items` includes them (None: as many as are named, or 1.5
    times as many as systems), `training` counts clips to practise on (None: two, or one where the
    run has no more). `UserError` if systems or items are not in the run, are too many, or cannot
    be heard; `StoreError` if the folder is taken.
    """
    check_free(target)
    if not _SHORTEST_EXCERPT_S <= excerpt_s <= MAX_EXCERPT_S:
        raise UserError(
            f"--excerpt-s {excerpt_s:g}: excerpts are {_SHORTEST_EXCERPT_S:g} to "
            f"{MAX_EXCERPT_S:g} s long (ITU-R BS.1534-3: about 10 s, 12 at most)"
        )
    run, shown, seen = RunSignals(folder), progress or Silent(), Counter[str]()
    codecs = chosen_systems(systems, folder.run.codecs)
    plain = [c for c in folder.run.codecs if not (c.anchor or c.condition)]
    left = [c.name for c in plain if not (systems or c in codecs)]
    if left:
        shown.note(
            f"a page holds {MAX_SYSTEMS} systems: the run's models took turns, which leaves out "
            f"{', '.join(left)}; choose others with --systems"
        )
    if not systems and (under := sum(bool(c.condition) for c in folder.run.codecs)):
        shown.note(f"{under} points under conditions are left out; name them with --systems")
    if form == "ab" and len(codecs) < 2:
        raise UserError(f"form ab compares systems with each other, found one: {codecs[0].name}")
    rated, practice = choose_clips(
        run, codecs, items, num_items=num_items, training=training, seed=seed
    )
    pages = len(rated) * len(FORMS[form].pairs([codec.name for codec in codecs]))
    if pages_per_listener and FORMS[form].rates and pages_per_listener > pages:
        raise UserError(
            f"--pages-per-listener {pages_per_listener}, but there are {len(rated)} items and "
            f"{pages} pages; leave it out, so that everybody rates all of them"
        )
    if (pages := pages_per_listener or pages) > _MANY_PAGES:
        shown.note(f"{pages} pages for every listener are many; --pages-per-listener takes fewer")
    shown.begin("excerpts", len(rated) + len(practice))

    def item(clip: Clip, kind: str) -> Item:
        start_s, duration_s = choose_excerpt(run.source(clip.id), excerpt_s)
        shown.step("excerpts")
        seen[kind] += 1
        excerpt = {"start_s": start_s, "duration_s": duration_s}
        return Item(id=f"{kind}-{seen[kind]}", clip=clip.id, domain=clip.domain, **excerpt)

    columns = RunRows.load(folder, histograms=False).codecs
    actual = ((codec.spec.name, actual_kbps_of(codec, ALL_DOMAINS)) for codec in columns)
    rates = {name: None if kbps is None else round(kbps, 3) for name, kbps in actual}
    texts = texts_of(language)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", target.absolute().name).strip("-_.")
    return ListeningTest(
        id=name[:64] or "test", title=title or texts.title, form=form, seed=seed,
        run=Path(os.path.relpath(folder.path.absolute(), target.absolute())).as_posix(),
        run_id=folder.run.id, set_sha256=folder.run.set_sha256,
        systems=tuple(System(name=spec.name, kbps=rates[spec.name]) for spec in codecs),
        items=tuple(item(c, "item" if c.domain == "unknown" else c.domain) for c in rated),
        training=tuple(item(clip, "training") for clip in practice),
        pages_per_listener=pages_per_listener, language=language, welcome=texts.welcome,
        consent=texts.consent, questionnaire=texts.questionnaire,
        made_by=f"snacbench {__version__}",
    )  # fmt: skip


def check_free(target: Path) -> None:
    """Refuse, with `StoreError`, a folder for a new test that holds anything."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(
            f"{target} is not empty; choose a new or empty folder with -o, or, where it is a test, "
            f"edit its {TEST_FILE} and make its stimuli again: snacbench mushra stimuli {target}"
        )


def make_test(
    target: Path, test: ListeningTest, *, webmushra: bool = False, progress: Progress | None = None
) -> Facts:
    """Write a test's folder, its file and its stimuli, whole or not at all.

    `UserError` if the folder is taken or cannot be written, a stimulus cannot be made, or the form
    is not one of webMUSHRA's.
    """
    check_free(target)
    # Beside its place: the run is found from there by the same relative path.
    with writing(f"the test to {target}"), atomic(target.absolute()) as partial:
        partial.mkdir()
        write_test(partial, test)
        facts = make_stimuli(partial, test, progress=progress)
        if webmushra:
            export_webmushra(partial, test, facts)
    return facts


# ------------------------------------------------------------------------------ systems and clips
def chosen_systems(selectors: Sequence[str], codecs: Sequence[CodecSpec]) -> tuple[CodecSpec, ...]:
    """Codecs of a run that selectors name, in the order asked for.

    Without selectors all but anchors and points under conditions; if these are more than nine,
    models take turns, each with its next operating point, in the order of the run. `UserError` if
    the run has no such codec, or more than nine are named, or there are none at all.
    """
    seen, turn = Counter[str](), dict[str, int]()  # of a model, its first point, its second, ...
    for spec in codecs:
        if not (selectors or spec.anchor or spec.condition):
            turn[spec.name], seen[spec.model] = seen[spec.model], seen[spec.model] + 1
    taken = sorted(turn, key=turn.__getitem__)[:MAX_SYSTEMS]
    chosen = {spec.name: spec for spec in codecs if spec.name in taken}
    for selector in selectors:
        try:
            chosen |= {spec.name: spec for spec in among(codecs, selector)}
        except UnknownName as error:
            known = did_you_mean(selector, [spec.name for spec in codecs])
            text = f"--systems {selector}: the run has no such codec; {known}"
            raise UnknownName(text) from error
    if not chosen:
        raise UserError("the run has no codecs besides anchors; name some with --systems")
    if len(chosen) > MAX_SYSTEMS:
        raise UserError(
            f"a page holds up to {MAX_SYSTEMS} systems (ITU-R BS.1534-3: 12 signals, reference and "
            f"two anchors among them), found {len(chosen)}: {', '.join(chosen)}; choose with "
            "--systems"
        )
    return tuple(chosen.values())


def choose_clips(  # noqa: PLR0913 - all that the choice depends on
    run: RunSignals,
    codecs: Sequence[CodecSpec],
    names: Sequence[str],
    *,
    num_items: int | None,
    training: int | None,
    seed: int,
) -> tuple[list[Clip], list[Clip]]:
    """Clips of the rated pages, named ones first, and of those to practise on; or `UserError`."""
    why = {id_: run.why_unheard(id_, [spec.name for spec in codecs]) for id_ in run.clips}
    first: dict[str, Clip] = {}
    for name in names:
        ids = [name] if name in why else [id_ for id_ in why if id_.endswith(f"/{name}")]
        if not ids:
            known = [*why, *(id_.rpartition("/")[2] for id_ in why)]
            wrong = f"the run has no such clip; {did_you_mean(name, known)}"
        elif len(ids) > 1:
            wrong = f"more than one clip ends so: {', '.join(ids)}"
        elif why[ids[0]]:
            wrong = f"{ids[0]} cannot be heard: {why[ids[0]]}"
        else:
            first[ids[0]] = run.clips[ids[0]]
            continue
        raise UserError(f"--item {name}: {wrong}")
    if num_items is not None and num_items < len(first):
        raise UserError(f"--items {num_items}, but {len(first)} are named with --item")

    measures = {row.clip: row.measures for row in run.folder.read(ClipMeasures)}
    fit = []  # long enough and, where that was measured, not silent
    for clip in run.clips.values():
        known_of = clip.measures or measures.get(clip.id)
        silent = known_of is not None and known_of.loudness_lufs is None
        if not why[clip.id] and not silent and clip.duration_s >= _SHORTEST_S:
            fit.append(clip)
    rest = (clip for clip in in_order_of_choice(fit, seed) if clip.id not in first)
    clips = [*first.values(), *rest]
    usual = len(first) or math.ceil(_ITEMS_PER_SYSTEM * len(codecs))
    least = len(first) or _FEWEST_ITEMS
    if training is None:  # two, or one where there is no clip for another
        training = max(1, min(2, len(clips) - (num_items or least)))
    number = max(least, min(usual, len(clips) - training)) if num_items is None else num_items
    if len(clips) < number + training:
        lost = [f"{id_}: {reason}" for id_, reason in why.items() if reason]
        example = f" ({len(lost)} cannot, for example {lost[0]})" if lost else ""
        raise UserError(
            f"{number} items and {training} training pages were asked for, and only {len(clips)} "
            f"clips of the run can be heard through all {len(codecs)} systems{example}; ask for "
            "fewer with --items or --training"
        )
    return clips[:number], clips[number : number + training]


def in_order_of_choice(clips: Sequence[Clip], seed: int) -> list[Clip]:
    """All clips, the ones to be taken first in front.

    One of each domain in turn; within a domain by a hash of seed and id, clips of a speaker or
    track that has been heard already after all others. Of two counts the smaller one's choice
    is part of the larger one's, and clips that join the run change little.
    """
    by_hash = sorted(clips, key=lambda c: hashlib.sha256(f"{seed}\0{c.id}".encode()).hexdigest())
    seen = Counter[tuple[str, ...]]()

    def turn(*of: str) -> int:
        seen[of] += 1
        return seen[of]

    heard = sorted(by_hash, key=lambda c: turn(c.domain, c.cluster or f"\0{c.id}"))
    return sorted(heard, key=lambda c: (turn(c.domain), DOMAINS.index(c.domain)))


def choose_excerpt(audio: Audio, wanted_s: float = DEFAULT_EXCERPT_S) -> tuple[float, float]:
    """Start and duration of the excerpt of a clip, in whole hundredths of a second.

    A clip that is not much longer than `wanted_s` is taken whole. Of a longer one, an excerpt of
    about that length which is loud within and quiet at both ends; the first such one.
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

    `conditions` are in the order of the page: for ``ab`` the two sides; for ``abx`` A, B, and what
    X is; for MUSHRA with the hidden reference, without the open one; where one condition is judged
    at a time, as they are heard: the last one is judged. `training` counts for nothing, and is
    practice, or a check of attention, where a score or the answer to a pair is `asked`.
    """

    item: str
    conditions: tuple[str, ...]
    training: bool = False
    asked: str | None = None


Trial = tuple[str, tuple[str, ...], int]
"""An item; what is compared on it, empty where all is rated; which repetition it is."""


def pages_of(test: ListeningTest, listener_number: int) -> tuple[Page, ...]:
    """All pages of the `listener_number`-th listener (from 0), training pages first.

    A pure function of the test and the number. What is dealt out are trials: an item in MUSHRA, an
    item with what is judged on it else. Listeners are served in rounds of as many as there are
    trials, each shuffled anew. Where everybody gets all trials, the orders of a round are the rows
    of a Williams design (Aust. J. Sci. Res. A 2, 1949): every trial comes at every place equally
    often, and (over one round for an even number of trials, over two for an odd one) directly after
    every other. Where everybody gets some, they are consecutive ones of a shuffled circle, on which
    the next listener goes on: over a round every trial comes at every place exactly once.

    Where one condition is judged at a time, no item follows itself as long as that can be. The
    conditions of a page are shuffled per listener and page, unless the reference comes first.
    """
    trials, form = trials_of(test, test.items), FORMS[test.form]
    count = len(trials)
    take = min(test.pages_per_listener or count, count)
    turn, place = divmod(listener_number, count)
    circle = [int(i) for i in _random(test, "round", turn).permutation(count)]
    single = form.kind == "single"
    if single and take < count:
        circle = _apart(circle, trials, _random(test, "circle", turn))
    if take == count:  # row of a Williams design: 0, 1, n-1, 2, n-2, ...; mirrored in odd rounds
        zigzag = [(k + 1) // 2 if k % 2 else (count - k // 2) % count for k in range(count)]
        row = [(value + place) % count for value in zigzag][:: -1 if turn % 2 else 1]
    else:
        lap = count // math.gcd(count, take)  # after so many listeners a circle is worn evenly
        row = [(place * take + place // lap + j) % count for j in range(take)]
    order = [circle[i] for i in row]
    if single and take == count:
        order = _apart(order, trials, _random(test, "order", listener_number))
    practice = practice_of(test)
    chosen = [*practice, *(trials[i] for i in order)]
    pages = []
    for number, (item, pair, repeat) in enumerate(chosen):
        rng = _random(test, "page", listener_number, item, *pair, repeat)
        if pair:
            shown = pair if test.form == "dcr" or rng.integers(2) else pair[::-1]
            shown += (shown[int(rng.integers(2))],) if test.form == "abx" else ()
        else:
            shown = tuple(test.conditions[i] for i in rng.permutation(len(test.conditions)))
        pages.append(Page(item, shown, number < len(practice)))
    # Checks of attention come after rated pages, each with the sounds of one of these.
    rated, checks = pages[len(practice) :], test.attention_checks
    low, high = form.scale if single else (0, 0)
    rng = _random(test, "attention", listener_number)
    for place in sorted(rng.choice(len(rated), checks, replace=checks > len(rated)), reverse=True):
        asked = "ab"[rng.integers(2)] if form.answers else str(rng.integers(low, high + 1))
        like = rated[rng.integers(len(rated))]
        pages.insert(len(practice) + place + 1, replace(like, training=True, asked=asked))
    return tuple(pages)


def _apart(order: Sequence[int], trials: Sequence[Trial], rng: np.random.Generator) -> list[int]:
    """An order in which no item follows itself, nor the last one the first, where it can be."""
    row, count = list(order), len(order)

    def alone(at: int) -> bool:
        own, *beside = (trials[row[(at + by) % count]][0] for by in (0, -1, 1))
        return own not in beside

    for at in range(count):  # what follows its own item changes places
        for other in rng.permutation(count):
            if trials[row[at]][0] != trials[row[at - 1]][0]:
                break
            row[at], row[other] = row[other], row[at]
            if not (alone(at) and alone(other)):
                row[at], row[other] = row[other], row[at]
    return row


def trials_of(test: ListeningTest, items: Sequence[Item]) -> list[Trial]:
    """All that can be asked on some items."""
    form, names = FORMS[test.form], [system.name for system in test.systems]
    turns = range(1 if form.rates else test.repeats)
    return [(i.id, pair, turn) for turn in turns for i in items for pair in form.pairs(names)]


def practice_of(test: ListeningTest) -> list[Trial]:
    """What is practised: the whole range of impairments, on the test's `training` items in turn.

    Where a page does not have all systems: the reference and the systems of the lowest and the
    highest rate (the last and the first one, where rates are not known), the lowest one first.
    """
    rates = {system.name: system.kbps for system in test.systems}
    known = None not in rates.values()
    names = sorted(rates, key=lambda name: -(rates[name] or 0.0) if known else 0.0)
    ends = {REFERENCE, names[0], names[-1]}
    pairs = [pair for pair in FORMS[test.form].pairs(names) if ends.issuperset(pair)]
    pairs.sort(key=lambda pair: names[-1] not in pair)
    items = [item.id for item in test.training]
    pages = range(max(len(items), len(pairs)) if items else 0)
    return [(items[page % len(items)], pairs[page % len(pairs)], -1) for page in pages]


def _random(test: ListeningTest, *of: object) -> np.random.Generator:
    text = "\0".join(map(str, (test.seed, *of)))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


# ---------------------------------------------------------------------------------------- test.yaml
_HEAD = f"""\
# A listening test, made by 'snacbench mushra design'; {DOCS} explains every field.
# Texts, questions and pages may be changed until the first listener has begun. After a change of
# items, systems, form or level, make the stimuli again: snacbench mushra stimuli FOLDER
"""


class _Dumper(yaml.SafeDumper):
    """Texts of paragraphs are folded, a blank line between them."""


def _as_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    lines = text.removesuffix("\n").split("\n")
    plain = all(line and line == line.strip() and line.isprintable() for line in lines)
    # Quotes keep what the other styles lose: odd spaces, ends of lines and blank lines.
    style = (">" if "\n" in text else None) if plain or not text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _as_text)


def write_test(folder: Path, test: ListeningTest) -> Path:
    """Write ``test.yaml``: every field, in a fixed order, with comments; returns its path."""
    told: dict[str, Any] = test.model_dump(mode="json")
    for question in told["questionnaire"]:
        if not question["choices"]:
            del question["choices"]
    text = _HEAD
    for name, field in ListeningTest.model_fields.items():
        text += f"\n# {field.description}\n" if field.description else ""
        # None: what holds plain values alone stands in one line, such as an item or a system.
        flow = None if name in ("systems", "items", "training", "level") else False
        how: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 100}
        text += yaml.dump({name: told[name]}, Dumper=_Dumper, default_flow_style=flow, **how)
    path = folder / TEST_FILE
    path.write_text(text, "utf-8")
    return path
