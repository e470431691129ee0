"""Writing ``test.yaml`` so that a person can read and edit it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from snacbench.listening.test import DOCS, TEST_FILE, ListeningTest

_HEAD = f"""\
# A listening test, made by 'snacbench mushra design'; {DOCS} explains every field.
#
# Texts, questions and pages may be changed until the first listener has begun. After a change of
# items, systems, form or level, make the stimuli again: snacbench mushra stimuli FOLDER
"""

_COMMENTS = {
    "id": "Names the test in results.",
    "form": "mushra, mushra-no-anchors, ab or abx.",
    "language": "Of the page's own texts; the texts below stand as they are.",
    "contact": "Whom listeners may ask, for example 'Ada Byron <ada@example.org>'.",
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
}

_ORDER = (
    "id", "title", "form", "language", "contact", "welcome", "consent", "questionnaire", "systems",
    "items", "training", "pages_per_listener", "repeats", "allow_tie", "level", "seed", "run",
    "run_id", "set_sha256", "version", "made_by",
)  # fmt: skip
_TOGETHER = frozenset({"title", "run_id", "set_sha256", "version", "made_by"})


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
    told = test.model_dump(mode="json")
    parts = [_HEAD]
    for name in _ORDER:
        comment = f"# {_COMMENTS[name]}\n" if name in _COMMENTS else ""
        gap = "" if name in _TOGETHER else "\n"
        parts.append(f"{gap}{comment}{_field(name, told[name])}")
    return "".join(parts)


test_text.__test__ = False  # type: ignore[attr-defined]  # keeps pytest from calling it a test


def _field(name: str, value: Any) -> str:
    if name == "questionnaire":
        value = [_without_defaults(question) for question in value]
    in_lines = name != "questionnaire" and isinstance(value, list | dict)
    return yaml.dump(
        {name: value},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        # None: what holds plain values alone stands in one line, such as an item or a system.
        default_flow_style=None if in_lines else False,
    )


def _without_defaults(question: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in question.items() if not (k == "choices" and not v)}


def write_test(folder: Path, test: ListeningTest) -> Path:
    """Write ``test.yaml`` into a folder and return its path."""
    path = folder / TEST_FILE
    path.write_text(test_text(test), "utf-8")
    return path
