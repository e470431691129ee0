"""What a new test says to its listeners; it stands in ``test.yaml`` and is meant to be edited."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import as_file, files

from snacbench.listening.test import DOCS, Part, Question
from snacbench.yamlfile import read_yaml


class Texts(Part):
    """Greeting, consent, questionnaire, and the words of webMUSHRA's pages, in one language."""

    language: str
    title: str
    welcome: str
    consent: str
    questionnaire: tuple[Question, ...]
    webmushra: Mapping[str, str]


@cache
def texts_of(language: str) -> Texts:
    """The texts of a new test; in English where the language has none yet."""
    folder = files("snacbench.listening") / "page" / "texts"
    entry = folder / f"{language.partition('-')[0]}.yaml"
    with as_file(entry if entry.is_file() else folder / "en.yaml") as path:
        return read_yaml(path, Texts, noun="texts", docs=DOCS).content
