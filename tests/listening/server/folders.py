"""Small folders of a listening test, with stimuli as `snacbench mushra stimuli` leaves them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from snacbench.listening.design import write_test
from snacbench.listening.stimuli import (
    FACTS_FILE,
    Facts,
    ItemFacts,
    StimulusFacts,
    design_sha256,
    facts_text,
    stimulus_file,
)
from snacbench.listening.test import Item, ListeningTest, Question, System

SAMPLES = 24_000
QUESTIONS = (
    Question(id="age", text="Your age", kind="number"),
    Question(id="phones", text="Headphones?", choices=("yes", "no")),
    Question(id="note", text="Anything else?", kind="text", required=False),
)


def small_test(**fields: Any) -> ListeningTest:
    given: dict[str, Any] = {
        "id": "small",
        "title": "A small test",
        "run": "..",
        "run_id": "r",
        "set_sha256": "00",
        "systems": tuple(System(name=n, kbps=k) for n, k in (("opus@8kbps", 8.2), ("snac", 0.98))),
        "items": tuple(
            Item(id=f"item-{i}", clip=f"set/{i}", domain="music", duration_s=0.5) for i in range(3)
        ),
        "training": (Item(id="training-1", clip="set/9", duration_s=0.5),),
        "questionnaire": QUESTIONS,
        "consent": "I agree.",
    }
    return ListeningTest(**{**given, **fields})


def make_folder(folder: Path, test: ListeningTest) -> Path:
    """The test's folder: test.yaml, stimuli of noise, stimuli.json."""
    folder.mkdir(parents=True, exist_ok=True)
    write_test(folder, test)
    items = {item.id: _item(folder, test, item) for item in (*test.items, *test.training)}
    facts = Facts("0", design_sha256(test), test.run_id, test.set_sha256, 48_000, "wav", items)
    (folder / FACTS_FILE).write_text(facts_text(facts), "utf-8")
    return folder


def _item(folder: Path, test: ListeningTest, item: Item) -> ItemFacts:
    made = {}
    for number, condition in enumerate(test.conditions):
        file = stimulus_file(item.id, condition)
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).uniform(-0.1, 0.1, SAMPLES)
        soundfile.write(path, noise, 48_000, subtype="PCM_24")
        made[condition] = facts_of(folder, file)
    return ItemFacts(item.clip, SAMPLES, 1, 0.0, None, (), made)


def facts_of(folder: Path, file: str) -> StimulusFacts:
    content = (folder / file).read_bytes()
    return StimulusFacts(file, hashlib.sha256(content).hexdigest(), len(content), 0.0, None, None)
