"""From a run to a listening test: its systems, items, excerpts and texts."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snacbench import __version__
from snacbench.errors import UserError
from snacbench.listening.choose import in_order_of_choice, named
from snacbench.listening.excerpt import DEFAULT_EXCERPT_S, choose_excerpt
from snacbench.listening.signals import RunSignals, open_signals, source, why_unheard
from snacbench.listening.systems import chosen_systems, with_rates
from snacbench.listening.test import MAX_EXCERPT_S, Form, Item, Level, ListeningTest
from snacbench.listening.texts import texts_of
from snacbench.rows import ClipMeasures
from snacbench.store.folder import RunFolder
from snacbench.types import Clip

# ITU-R BS.1534-3: about 1.5 times as many items as systems, 5 at least.
_ITEMS_PER_SYSTEM = 1.5
_FEWEST_ITEMS = 6  # rather than 5: two of each of three domains

_SHORTEST_S = 1.0  # nobody can judge less; clips may still be named
_SHORTEST_EXCERPT_S = 2.0


@dataclass(frozen=True)
class Wish:
    """What a user asks of a test.

    Attributes
    ----------
    systems : tuple of str
        Selectors; empty: all codecs of the run.
    num_items : int or None
        Named ones included; None: as many as are named, or 1.5 times as many as systems.
    items : tuple of str
        Clips that are to be among the items.
    training : int
        Pages to practise on.
    """

    systems: tuple[str, ...] = ()
    num_items: int | None = None
    items: tuple[str, ...] = ()
    training: int = 1
    form: Form = "mushra"
    pages_per_listener: int | None = None
    seed: int = 0
    title: str = ""
    language: str = "en"
    excerpt_s: float = DEFAULT_EXCERPT_S
    match_per_condition: bool = False


def design(
    folder: RunFolder,
    target: Path,
    wish: Wish,
    *,
    begin: Callable[[int], None] = lambda _: None,
    step: Callable[[], None] = lambda: None,
) -> ListeningTest:
    """The test that is to stand in a folder; nothing is written.

    Parameters
    ----------
    begin, step : callable
        Told how many excerpts are to be cut, and that another one is.

    Raises
    ------
    UserError
        If systems or items are not in the run, are too many, or cannot be heard.
    """
    if not _SHORTEST_EXCERPT_S <= wish.excerpt_s <= MAX_EXCERPT_S:
        raise UserError(
            f"--excerpt-s {wish.excerpt_s:g}: excerpts are {_SHORTEST_EXCERPT_S:g} to "
            f"{MAX_EXCERPT_S:g} s long (ITU-R BS.1534-3: about 10 s, 12 at most)"
        )
    run = open_signals(folder)
    systems = chosen_systems(wish.systems, folder.run.codecs)
    if wish.form == "ab" and len(systems) < 2:
        raise UserError(f"form ab compares systems with each other, found one: {systems[0].name}")
    items, training = _clips(run, tuple(spec.name for spec in systems), wish)
    if wish.pages_per_listener and wish.form.startswith("mushra"):
        _check_pages(wish.pages_per_listener, len(items))
    begin(len(items) + len(training))
    texts = texts_of(wish.language)
    return ListeningTest(
        id=_id_of(target),
        title=wish.title or texts.title,
        form=wish.form,
        seed=wish.seed,
        run=Path(os.path.relpath(folder.path.absolute(), target.absolute())).as_posix(),
        run_id=folder.run.id,
        set_sha256=folder.run.set_sha256,
        systems=with_rates(systems, run.coded),
        items=_items(run, items, wish.excerpt_s, "", step),
        training=_items(run, training, wish.excerpt_s, "training", step),
        pages_per_listener=wish.pages_per_listener,
        level=Level(match_per_condition=wish.match_per_condition),
        language=wish.language,
        welcome=texts.welcome,
        consent=texts.consent,
        questionnaire=texts.questionnaire,
        made_by=f"snacbench {__version__}",
    )


def _clips(run: RunSignals, systems: tuple[str, ...], wish: Wish) -> tuple[list[Clip], list[Clip]]:
    """Clips of the rated pages and of those to practise on."""
    why = {id_: why_unheard(run, id_, systems) for id_ in run.clips}
    heard = {id_: clip for id_, clip in run.clips.items() if not why[id_]}
    first = named(wish.items, heard, {id_: reason for id_, reason in why.items() if reason})
    number = _num_items(wish, len(systems), len(first))
    fit = _fit_to_be_chosen(run, heard)
    rest = [clip for clip in in_order_of_choice(fit, wish.seed) if clip not in first]
    items = [*first, *rest[: number - len(first)]]
    if len(items) < number:
        raise UserError(
            f"{number} items were asked for, and only {len(items)} clips of the run can be heard "
            f"through all {len(systems)} systems{_an_example(why)}; ask for fewer with --items"
        )
    left = [clip for clip in rest if clip not in items]
    if wish.training > len(left):
        raise UserError(
            f"{wish.training} training pages were asked for, and {len(left)} clips are left beside "
            f"the {number} items; ask for fewer with --items or --training"
        )
    return items, left[: wish.training]


def _check_pages(per_listener: int, num_items: int) -> None:
    if per_listener > num_items:
        raise UserError(
            f"--pages-per-listener {per_listener}, but there are {num_items} items; leave it out, "
            "so that everybody rates all of them"
        )


def _num_items(wish: Wish, num_systems: int, num_named: int) -> int:
    if wish.num_items is None:
        return num_named or max(_FEWEST_ITEMS, math.ceil(_ITEMS_PER_SYSTEM * num_systems))
    if wish.num_items < num_named:
        raise UserError(f"--items {wish.num_items}, but {num_named} are named with --item")
    return wish.num_items


def _fit_to_be_chosen(run: RunSignals, clips: Mapping[str, Clip]) -> list[Clip]:
    """Clips that are long enough and, where that was measured, not silent."""
    measured = {row.clip: row.measures for row in run.folder.read(ClipMeasures)}
    known = {clip.id: clip.measures or measured.get(clip.id) for clip in clips.values()}
    return [
        clip
        for clip in clips.values()
        if clip.duration_s >= _SHORTEST_S
        and ((found := known[clip.id]) is None or found.loudness_lufs is not None)
    ]


def _an_example(why: Mapping[str, str]) -> str:
    lost = [(id_, reason) for id_, reason in why.items() if reason]
    if not lost:
        return ""
    id_, reason = lost[0]
    return f" ({len(lost)} cannot, for example {id_}: {reason})"


def _items(
    run: RunSignals, clips: Sequence[Clip], wanted_s: float, prefix: str, step: Callable[[], None]
) -> tuple[Item, ...]:
    """Items named by their domain and a number, such as ``speech-2``, sorted by domain."""
    seen: Counter[str] = Counter()
    items = []
    for clip in clips:
        start_s, duration_s = choose_excerpt(source(run, clip.id), wanted_s)
        kind = prefix or (clip.domain if clip.domain != "unknown" else "item")
        seen[kind] += 1
        items.append(
            Item(
                id=f"{kind}-{seen[kind]}",
                clip=clip.id,
                domain=clip.domain,
                start_s=start_s,
                duration_s=duration_s,
            )
        )
        step()
    return tuple(items)


def _id_of(target: Path) -> str:
    """The test's folder as an id."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", target.absolute().name).strip("-_.")
    return name[:64] or "test"
