"""A test for webMUSHRA 1.4 (github.com/audiolabs/webMUSHRA): its configuration and its sounds.

Fields and page types are those of its doc/experimenter.md. It adds the hidden reference to each
page itself; ``anchor35`` and ``anchor70`` are the names by which it and its readers of results know
anchors, and ours are files, so it is told to create none. What it cannot do: subsets of pages for
each listener, balanced orders, and hiding the names of conditions from who reads its configuration.
"""

from __future__ import annotations

import hashlib
import html
import shutil
from pathlib import Path
from typing import Any

import yaml

from snacbench.errors import UserError
from snacbench.files import atomic, writing
from snacbench.listening.stimuli import Facts
from snacbench.listening.test import REFERENCE, Item, ListeningTest, Question, texts_of

FOLDER = "webmushra"
_CONFIGS = "configs"


def export_webmushra(folder: Path, test: ListeningTest, facts: Facts) -> Path:
    """Write ``webmushra/`` into a test's folder, in place of an older one; where its YAML file is.

    `UserError` if the form is none that webMUSHRA has, or the folder cannot be written.
    """
    if test.form not in ("mushra", "mushra-no-anchors"):
        raise UserError(
            f"--export webmushra: form {test.form} stays on our own page; webMUSHRA gets forms "
            "mushra and mushra-no-anchors"
        )
    target, name = folder / FOLDER, f"{test.id}.yaml"
    with writing(f"the export of {test.id} for webMUSHRA"), atomic(target) as partial:
        for item in (*test.items, *test.training):
            for condition, stimulus in facts.items[item.id].conditions.items():
                path = partial / sound_file(test, facts, item, condition)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / stimulus.file, path)
        text = yaml.safe_dump(
            configuration(test, facts), sort_keys=False, allow_unicode=True, width=100
        )
        (partial / _CONFIGS / name).write_text(text, "utf-8")
    return target / _CONFIGS / name


def configuration(test: ListeningTest, facts: Facts) -> dict[str, Any]:
    """What stands in its YAML file."""
    texts, words = texts_of(test.language), texts_of(test.language).webmushra

    def sound(item: Item, condition: str) -> str:
        return sound_file(test, facts, item, condition)

    def text_page(id_: str, name: str, text: str) -> dict[str, Any]:
        lines = (html.escape(line) for line in text.splitlines() if line.strip())
        content = "".join(f"<p>{line}</p>" for line in lines)
        return {"type": "generic", "id": id_, "name": html.escape(name), "content": content}

    def rating_page(item: Item, name: str) -> dict[str, Any]:
        rated = [condition for condition in test.conditions if condition != REFERENCE]
        return {
            "type": "mushra",
            "id": item.id,
            "name": name,
            "content": words["rate"],  # without this field its page breaks
            "showWaveform": True,
            "enableLooping": True,
            "strict": True,
            "randomize": True,
            "showConditionNames": False,
            "reference": sound(item, REFERENCE),
            "createAnchor35": False,
            "createAnchor70": False,
            "stimuli": {condition: sound(item, condition) for condition in rated},
        }

    def question(asked: Question) -> dict[str, Any]:
        told: dict[str, Any] = {
            "type": "text",
            "name": asked.id,
            "label": html.escape(asked.text),
        }
        if asked.kind == "choice":
            choices = [html.escape(choice) for choice in asked.choices]
            told["type"] = "likert"
            told["response"] = [{"value": choice, "label": choice} for choice in choices]
        return told if asked.required else {**told, "optional": True}

    return {
        "testname": test.title,
        "testId": test.id,
        "language": texts.language,
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": False,
        "remoteService": "service/write.php",
        "pages": [
            text_page("welcome", test.title, test.welcome),
            text_page("consent", words["consent"], test.consent),
            {
                "type": "volume",
                "id": "volume",
                "name": words["volume"],
                "content": words["set volume"],
                "stimulus": sound(test.items[0], REFERENCE),
                "defaultVolume": 0.5,
            },
            *(rating_page(item, words["training"]) for item in test.training),
            ["random", *(rating_page(item, words["rating"]) for item in test.items)],
            {
                "type": "finish",
                "name": words["finish"],
                "content": words["questions"],
                "popupContent": words["thanks"],
                "showResults": False,
                "writeResults": True,
                "questionnaire": [question(asked) for asked in test.questionnaire],
            },
        ],
    }


def sound_file(test: ListeningTest, facts: Facts, item: Item, condition: str) -> str:
    """Where a sound lies, as seen from webMUSHRA's folder; the name tells nothing."""
    told = f"{test.id}\0{test.seed}\0{item.id}\0{condition}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return f"{_CONFIGS}/resources/{test.id}/{digest}.{facts.format}"
