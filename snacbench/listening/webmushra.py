"""A test for webMUSHRA 1.4 (github.com/audiolabs/webMUSHRA): its configuration and its sounds.

Its reader of YAML knows neither a list that begins in the line of another's dash nor text that goes
on in the next line: every value stands in a line of its own, as JSON. It sends results as a form
without encoding them, in which ``&`` would end them: what a listener chooses is encoded here
beforehand; what is typed cannot be, so that no free text is required.
"""

import hashlib
import html
import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from snacbench.errors import UserError
from snacbench.files import atomic, writing
from snacbench.forms import FORMS, REFERENCE
from snacbench.listening.stimuli import Facts
from snacbench.listening.test import Item, ListeningTest, Question, texts_of

FOLDER = "webmushra"
_CONFIGS = "configs"
_TOLD = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))  # alike in every test


def export_webmushra(folder: Path, test: ListeningTest, facts: Facts) -> Path:
    """Write ``webmushra/`` into a test's folder, in place of an older one; where its YAML file is.

    `UserError` if the form is none that webMUSHRA has, or the folder cannot be written.
    """
    if not FORMS[test.form].by_bs1534:
        raise UserError(
            f"--export webmushra: form {test.form} stays on our own page; webMUSHRA gets forms "
            "mushra and mushra-no-anchors"
        )
    target, name = folder / FOLDER, f"{test.id}.yaml"
    with writing(f"the export of {test.id} for webMUSHRA"), atomic(target) as folder_of:
        for item in (*test.items, *test.training):
            for condition, stimulus in facts.items[item.id].conditions.items():
                path = folder_of / sound_file(test, facts, item, condition)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / stimulus.file, path)
        lines = _lines(configuration(test, facts))
        (folder_of / _CONFIGS / name).write_text("".join(lines), "utf-8")
    return target / _CONFIGS / name


def _lines(value: dict[str, Any] | list[Any], margin: str = "") -> Iterator[str]:
    """Lines of YAML, each with its value as JSON, or with none and a deeper block below it."""
    named = value.items() if isinstance(value, dict) else (("-", one) for one in value)
    for name, one in named:
        head = "-" if isinstance(value, list) else f"{json.dumps(name, ensure_ascii=False)}:"
        if isinstance(one, dict | list) and one:
            yield f"{margin}{head}\n"
            yield from _lines(one, margin + "  ")
        else:
            yield f"{margin}{head} {json.dumps(one, ensure_ascii=False)}\n"


def cautions(test: ListeningTest) -> list[str]:
    """What an organiser must know who lets webMUSHRA ask this test."""
    texts = texts_of(test.language)
    found = [
        f"webMUSHRA: an answer to {asked.id!r} in which there is an & loses all that its listener "
        "said, so it may be left empty there; better ask it with choices, or not"
        for asked in test.questionnaire
        if asked.kind != "choice"
    ]
    if test.consent != texts.consent:
        found.append(
            "webMUSHRA: check that your consent text promises nothing that its pages do not keep: "
            "no pause, no random name, no deletion by the listener, no headphone check"
        )
    return found


def configuration(test: ListeningTest, facts: Facts) -> dict[str, Any]:
    """What stands in its YAML file."""
    texts, words = texts_of(test.language), texts_of(test.language).webmushra
    sound = partial(sound_file, test, facts)

    def text_page(kind: str, id_: str, name: str, text: str, **more: bool) -> dict[str, Any]:
        lines = (html.escape(line) for line in text.splitlines() if line.strip())
        content = "".join(f"<p>{line}</p>" for line in lines)
        return {"type": kind, "id": id_, "name": html.escape(name), "content": content, **more}

    def rating_page(item: Item, name: str) -> dict[str, Any]:
        rated = [condition for condition in test.conditions if condition != REFERENCE]
        return {
            **_TOLD["rating"],
            "id": item.id,
            "name": name,
            "content": words["rate"],  # without this field its page breaks
            "reference": sound(item, REFERENCE),
            "stimuli": {posted(condition): sound(item, condition) for condition in rated},
        }

    def question(asked: Question) -> dict[str, Any]:
        told: dict[str, Any] = {"name": asked.id, "label": html.escape(asked.text)}
        if asked.kind != "choice":
            return {"type": "text", **told, "optional": True}
        told["response"] = [
            {"value": posted(choice), "label": html.escape(choice)} for choice in asked.choices
        ]
        return {"type": "likert", **told} | ({} if asked.required else {"optional": True})

    consent = words["consent text"] if test.consent == texts.consent else test.consent
    return {
        "testname": test.title,
        "testId": test.id,
        "language": texts.language,
        **_TOLD["test"],
        "pages": [
            text_page("generic", "welcome", test.title, test.welcome),
            text_page("consent", "consent", words["consent"], consent, mustConsent=True),
            {
                **_TOLD["volume"],
                "name": words["volume"],
                "content": words["set volume"],
                "stimulus": sound(test.items[0], REFERENCE),
            },
            *(rating_page(item, words["training"]) for item in test.training),
            ["random", *(rating_page(item, words["rating"]) for item in test.items)],
            {
                **_TOLD["finish"],
                "name": words["finish"],
                "content": words["questions"],
                "popupContent": words["thanks"],
                "questionnaire": [question(asked) for asked in test.questionnaire],
            },
        ],
    }


posted = partial(quote, safe="@=:,;.()/ ")
"""A name as it is to be sent so that it arrives: see above."""


def sound_file(test: ListeningTest, facts: Facts, item: Item, condition: str) -> str:
    """Where a sound lies, as seen from webMUSHRA's folder; the name tells nothing."""
    told = f"{test.id}\0{test.seed}\0{item.id}\0{condition}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return f"{_CONFIGS}/resources/{test.id}/{digest}.{facts.format}"
