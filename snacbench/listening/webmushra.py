"""A test for webMUSHRA 1.4 (github.com/audiolabs/webMUSHRA): its configuration and its sounds.

Fields and page types are those of its doc/experimenter.md. It adds the hidden reference to each
page itself; ``anchor35`` and ``anchor70`` are the names by which it and its readers of results know
anchors, and ours are files, so it is told to create none. What it cannot do: subsets of pages for
each listener, balanced orders, and hiding the names of conditions from who reads its configuration.
"""

from __future__ import annotations

import hashlib
import html
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from snacbench.errors import StoreError, UserError
from snacbench.listening.stimuli import Facts
from snacbench.listening.test import REFERENCE, Item, ListeningTest, Question

FOLDER = "webmushra"
_CONFIGS = "configs"
_BUFFER_SIZE = 2048
_START_VOLUME = 0.5

# In the languages of its own buttons (lib/webmushra/nls/nls.js); English in all others.
_WORDS = {
    "en": {
        "consent": "Before you begin",
        "volume": "Volume",
        "set volume": "Set the volume so that you hear comfortably, and leave it there.",
        "training": "For practice",
        "rating": "Rate the quality",
        "rate": "Compare each condition with the reference and rate its quality from 0 (bad) to "
        "100 (excellent). One of the conditions is the reference itself.",
        "finish": "The last page",
        "questions": "Please answer these questions, then send your results.",
        "thanks": "Your results were sent. Thank you for taking part.",
    },
    "de": {
        "consent": "Bevor Sie beginnen",
        "volume": "Lautstärke",
        "set volume": "Stellen Sie eine angenehme Lautstärke ein und lassen Sie sie dann so.",
        "training": "Zum Üben",
        "rating": "Bewerten Sie die Qualität",
        "rate": "Vergleichen Sie jede Fassung mit der Referenz und bewerten Sie ihre Qualität von "
        "0 (schlecht) bis 100 (ausgezeichnet). Eine der Fassungen ist die Referenz selbst.",
        "finish": "Die letzte Seite",
        "questions": "Bitte beantworten Sie diese Fragen und senden Sie dann Ihre Ergebnisse.",
        "thanks": "Ihre Ergebnisse wurden gesendet. Danke, dass Sie mitgemacht haben.",
    },
}


def export_webmushra(folder: Path, test: ListeningTest, facts: Facts) -> Path:
    """Write ``webmushra/`` into a test's folder, in place of an older one.

    Its content goes into webMUSHRA's own folder.

    Returns
    -------
    Path
        The configuration.

    Raises
    ------
    UserError
        If the form is none that webMUSHRA has.
    StoreError
        If the folder cannot be written.
    """
    if test.form not in ("mushra", "mushra-no-anchors"):
        raise UserError(
            f"--export webmushra: form {test.form} stays on our own page; webMUSHRA gets forms "
            "mushra and mushra-no-anchors"
        )
    target = folder / FOLDER
    partial = folder / f".{FOLDER}.{os.getpid()}.partial"
    name = f"{test.id}.yaml"
    try:
        _write_sounds(folder, partial, test, facts)
        text = yaml.safe_dump(
            configuration(test, facts), sort_keys=False, allow_unicode=True, width=100
        )
        (partial / _CONFIGS / name).write_text(text, "utf-8")
        if target.exists():
            shutil.rmtree(target)
        partial.replace(target)
    except OSError as error:
        raise StoreError(
            f"cannot write the export of {test.id} for webMUSHRA ({error.strerror or error}); free "
            "some space or check the folder's permissions, then try again"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target / _CONFIGS / name


def configuration(test: ListeningTest, facts: Facts) -> dict[str, Any]:
    """What stands in its YAML file."""
    language = test.language.partition("-")[0]
    words = _WORDS.get(language, _WORDS["en"])
    pages: list[Any] = [
        _generic("welcome", test.title, test.welcome),
        _generic("consent", words["consent"], test.consent),
        {
            "type": "volume",
            "id": "volume",
            "name": words["volume"],
            "content": words["set volume"],
            "stimulus": sound_file(test, facts, test.items[0], REFERENCE),
            "defaultVolume": _START_VOLUME,
        },
        *(_mushra(test, facts, item, words["training"], words) for item in test.training),
        ["random", *(_mushra(test, facts, item, words["rating"], words) for item in test.items)],
        {
            "type": "finish",
            "name": words["finish"],
            "content": words["questions"],
            "popupContent": words["thanks"],
            "showResults": False,
            "writeResults": True,
            "questionnaire": [_question(question) for question in test.questionnaire],
        },
    ]
    return {
        "testname": test.title,
        "testId": test.id,
        **({"language": language} if language in _WORDS else {}),
        "bufferSize": _BUFFER_SIZE,
        "stopOnErrors": True,
        "showButtonPreviousPage": False,
        "remoteService": "service/write.php",
        "pages": pages,
    }


def _generic(id_: str, name: str, text: str) -> dict[str, Any]:
    return {"type": "generic", "id": id_, "name": html.escape(name), "content": _paragraphs(text)}


def _paragraphs(text: str) -> str:
    lines = (html.escape(line) for line in text.splitlines() if line.strip())
    return "".join(f"<p>{line}</p>" for line in lines)


def _mushra(
    test: ListeningTest, facts: Facts, item: Item, name: str, words: Mapping[str, str]
) -> dict[str, Any]:
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
        "reference": sound_file(test, facts, item, REFERENCE),
        "createAnchor35": False,
        "createAnchor70": False,
        "stimuli": {
            condition: sound_file(test, facts, item, condition)
            for condition in test.conditions
            if condition != REFERENCE
        },
    }


def _question(question: Question) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": "likert" if question.kind == "choice" else "text",
        "name": question.id,
        "label": html.escape(question.text),
    }
    if question.kind == "choice":
        told["response"] = [
            {"value": html.escape(choice), "label": html.escape(choice)}
            for choice in question.choices
        ]
    return told if question.required else {**told, "optional": True}


def sound_file(test: ListeningTest, facts: Facts, item: Item, condition: str) -> str:
    """Where a sound lies, as seen from webMUSHRA's folder; the name tells nothing."""
    told = f"{test.id}\0{test.seed}\0{item.id}\0{condition}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    return f"{_CONFIGS}/resources/{test.id}/{digest}.{facts.format}"


def _write_sounds(folder: Path, partial: Path, test: ListeningTest, facts: Facts) -> None:
    for item in (*test.items, *test.training):
        for condition, stimulus in facts.items[item.id].conditions.items():
            path = partial / sound_file(test, facts, item, condition)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / stimulus.file, path)
