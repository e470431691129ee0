"""Which of a run's codecs are under test, and what they really cost."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from snacbench.errors import UnknownName, UserError, did_you_mean
from snacbench.listening.test import MAX_SYSTEMS, System
from snacbench.rows import Coded
from snacbench.types import CodecSpec
from snacbench.units import kbps

_RATE_TOLERANCE = 0.05
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?:kbps)?")


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
    chosen = (
        {spec.name: spec for selector in selectors for spec in _named(selector, codecs)}
        if selectors
        else {spec.name: spec for spec in codecs if not spec.anchor}
    )
    if not chosen:
        raise UserError("the run has no codecs besides anchors; name some with --systems")
    if len(chosen) > MAX_SYSTEMS:
        raise UserError(
            f"a page holds up to {MAX_SYSTEMS} systems (ITU-R BS.1534-3: 12 signals, reference and "
            f"two anchors among them), found {len(chosen)}: {', '.join(chosen)}; choose with "
            "--systems"
        )
    return tuple(chosen.values())


def _named(selector: str, codecs: Sequence[CodecSpec]) -> list[CodecSpec]:
    for matches in (
        [spec for spec in codecs if spec.name == selector],
        [spec for spec in codecs if spec.model == selector],
        [spec for spec in codecs if spec.family == selector],
        _at_rate(selector, codecs),
    ):
        if matches:
            return matches
    raise UnknownName(
        f"--systems {selector}: the run has no such codec; "
        f"{did_you_mean(selector, [spec.name for spec in codecs])}"
    )


def _at_rate(selector: str, codecs: Sequence[CodecSpec]) -> list[CodecSpec]:
    """The operating point nearest to a rate, if one is within 5 % of it."""
    head, _, point = selector.rpartition("@")
    number = _NUMBER.fullmatch(point.lower())
    if not head or number is None:
        return []
    wanted = float(number[1])
    near = [
        (abs(spec.nominal_kbps - wanted), spec)
        for spec in codecs
        if head in (spec.model, spec.family) and spec.nominal_kbps is not None
    ]
    fitting = [found for found in near if found[0] <= _RATE_TOLERANCE * wanted]
    return [min(fitting, key=lambda found: found[0])[1]] if fitting else []


def with_rates(
    codecs: Sequence[CodecSpec], coded: Mapping[tuple[str, str], Coded]
) -> tuple[System, ...]:
    """Systems with their actual rate: all bits that a decoder needs, over all of the run."""
    return tuple(System(name=spec.name, kbps=_actual_kbps(spec.name, coded)) for spec in codecs)


def _actual_kbps(name: str, coded: Mapping[tuple[str, str], Coded]) -> float | None:
    rows = [row for (_, codec), row in coded.items() if codec == name and row.status == "ok"]
    if not rows or any(row.bits is None or not row.duration_s for row in rows):
        return None
    bits = sum(row.bits.total for row in rows if row.bits)
    return round(kbps(bits, math.fsum(row.duration_s or 0.0 for row in rows)), 3)
