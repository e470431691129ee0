"""What is stated of a voice: the code of its language and its speaker's gender, in one spelling."""

from __future__ import annotations

import locale
import re

_CODE = r"[a-z]{2,3}(-[a-z0-9]{2,8})*"
_REGION, _SCRIPT = 2, 4  # how long the parts of a code are

# Single letters: LibriSpeech, VCTK, DAPS. Two words: Common Voice.
_GENDERS = {
    "f": "female",
    "m": "male",
    "female_feminine": "female",
    "male_masculine": "male",
    "do_not_wish_to_say": "",
}


def language_code(text: str) -> str:
    """A language's code as RFC 5646 writes it: ``de``, ``pt-BR``, ``zh-Hant``; empty stays empty.

    Whether anyone speaks it is not looked up. Raises `ValueError` if the text is no code.
    """
    code = text.strip().lower().replace("_", "-")
    if not code:
        return ""
    if not re.fullmatch(_CODE, code):
        meant, underscore, _ = locale.normalize(code).partition("_")
        raise ValueError(
            "a language is given by its code of ISO 639 (en, de, pt-BR)"
            + (f"; did you mean {meant}?" if underscore else "")
        )
    language, *parts = code.split("-")
    spelled = {_REGION: str.upper, _SCRIPT: str.title}
    return "-".join([language, *(spelled.get(len(part), str.lower)(part) for part in parts)])


def gender_of(text: str) -> str:
    """A gender as stated, ``female`` and ``male`` in one spelling; empty where none is."""
    word = text.strip().lower()
    return _GENDERS.get(word, word)
