"""Files of an analysis: the paragraph, tables for people and for programs, figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from snacbench.errors import StoreError
from snacbench.listening.analysis.analyse import Analysis
from snacbench.listening.analysis.means import Mean
from snacbench.listening.figures import write_figures
from snacbench.listening.publish import Published
from snacbench.listening.tables import excluded_by, tables_of
from snacbench.listening.tidy import safe_cell
from snacbench.tables.writers import escaped, to_latex, to_markdown

Records = Sequence[Mapping[str, object]]


def write_all(analysis: Analysis, rows: Published, folder: Path) -> list[Path]:
    """Write everything into a folder, in place of what an earlier analysis left there.

    Raises
    ------
    StoreError
        If a file cannot be written.
    """
    tables = tables_of(analysis)
    texts = {
        "summary.md": _summary(rows, to_markdown(tables)),
        "paragraph.txt": rows.summary.text + "\n",
        "tables.tex": to_latex(tables),
        **{f"{name}.csv": _csv(records) for name, records in _records(analysis).items() if records},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder} ({error.strerror or error}); choose another folder with -o"
        ) from error
    return [*(folder / name for name in texts), *write_figures(rows, folder)]


def _summary(rows: Published, tables: str) -> str:
    notes = "\n".join(f"- {escaped(note)}" for note in rows.summary.notes)
    return (
        "\n\n".join(
            part
            for part in (
                f"# {escaped(rows.summary.title)}",
                escaped(rows.summary.text),
                tables.rstrip(),
                f"### Notes\n\n{notes}" if notes else "",
            )
            if part
        )
        + "\n"
    )


def _csv(records: Records) -> str:
    """Records as CSV: numbers in full, what is not known empty, no cell a formula."""
    columns = dict.fromkeys(key for record in records for key in record)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in r.items()} for r in records)
    return out.getvalue()


def _cell(value: object) -> object:
    return safe_cell(value) if isinstance(value, str) else value


def _records(analysis: Analysis) -> dict[str, Records]:
    """Every table of numbers by the name of its file; those of simulated listeners say so."""
    found: dict[str, Records] = {
        "scores": list(_scores(analysis)),
        "pairs": list(_pairs(analysis)),
        "items": list(_items(analysis)),
        "preferences": [_flat(vars(one)) for one in analysis.preferences],
        "abx": [_flat(vars(one)) for one in analysis.identifications],
        "abx-listeners": [vars(r) for one in analysis.identifications for r in one.by_listener],
        "listeners": list(_listeners(analysis)),
    }
    if not analysis.study.simulated:
        return found
    return {name: [{**r, "simulated": "yes"} for r in rows] for name, rows in found.items()}


def _scores(analysis: Analysis) -> Iterator[Mapping[str, object]]:
    kbps = analysis.study.kbps
    for when, means in (("after", analysis.means), ("before", analysis.means_before)):
        for mean in means:
            yield {"screening": when, "kbps": kbps.get(mean.condition), **_of_mean(mean)}


def _of_mean(mean: Mean) -> Mapping[str, object]:
    first = {"condition": mean.condition, "domain": mean.domain}
    return {**first, **_flat({k: v for k, v in vars(mean).items() if k not in first})}


def _pairs(analysis: Analysis) -> Iterator[Mapping[str, object]]:
    for pair in analysis.pairs:
        effect = pair.effect
        yield {
            **_flat({k: v for k, v in vars(pair).items() if k != "effect"}),
            "d_z": effect.d_z if effect else None,
            "superiority": effect.superiority if effect else None,
        }


def _items(analysis: Analysis) -> Iterator[Mapping[str, object]]:
    for one in analysis.items:
        record = _flat({k: v for k, v in vars(one).items() if k != "by_condition"})
        yield {**record, **{f"mean_{c}": value for c, value in one.by_condition.items()}}


def _listeners(analysis: Analysis) -> Iterator[Mapping[str, object]]:
    out = excluded_by(analysis)
    agreements = {one.listener: one for one in analysis.agreements}
    for check in analysis.screening.checks:
        agreement = agreements.get(check.listener)
        yield {
            **vars(check),
            "correlation": agreement.correlation if agreement else None,
            "offset": agreement.offset if agreement else None,
            "kept": "no" if check.listener in out else "yes",
            "excluded": out.get(check.listener, ""),
        }


def _flat(record: Mapping[str, object]) -> dict[str, object]:
    """A record with the ends of its intervals as columns, and no lists."""
    ends = record.get("ends")
    flat = {k: v for k, v in record.items() if k != "ends" and not isinstance(v, tuple)}
    return {**flat, **vars(ends)} if ends is not None else flat
