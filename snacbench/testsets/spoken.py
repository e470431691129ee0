"""What is stated of a voice: the code of its language and its speaker's gender, in one spelling."""

import locale
import re
from pathlib import Path

_CODE = r"[a-z]{2,3}(-[a-z0-9]{2,8})*"
_CHINESE = ("zh-yue", "zh-cmn")  # languages of Chinese that have codes of their own
_REGION, _SCRIPT = 2, 4  # how long the parts of a code are

# Codes of three letters (ISO 639-2 and -3) of languages that have one of two, which RFC 5646 wants.
# Of those that recognisers know; Mandarin is what they and others call Chinese.
_LANGUAGES = Path(__file__).with_name("languages.txt").read_text("ascii")
_SHORTER = dict(re.findall(r"(\w+):(\w+)", _LANGUAGES))

# Single letters: LibriSpeech, VCTK, DAPS. Two words: Common Voice.
_GENDERS = {"f": "female", "female_feminine": "female", "m": "male", "male_masculine": "male"}


def language_code(text: str) -> str:
    """A language's code as RFC 5646 writes it: ``de``, ``pt-BR``, ``zh-Hant``; empty stays empty.

    ``deu`` and ``ger`` become ``de``, and ``zh-yue``, which is Cantonese, ``yue``. Whether
    anyone speaks it is not looked up. Raises `ValueError` if the text is no code.
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
    language, *parts = code.removeprefix("zh-" if code.startswith(_CHINESE) else "").split("-")
    language = _SHORTER.get(language, language)
    spelled = {_REGION: str.upper, _SCRIPT: str.title}
    return "-".join([language, *(spelled.get(len(part), str.lower)(part) for part in parts)])


def gender_of(text: str) -> str:
    """A gender as stated, ``female`` and ``male`` in one spelling; empty where none is."""
    word = text.strip().lower()
    return "" if word == "do_not_wish_to_say" else _GENDERS.get(word, word)
