"""What is stated of a voice: the code of its language and its speaker's gender, in one spelling."""

import locale
import re

_CODE = r"[a-z]{2,3}(-[a-z0-9]{2,8})*"
_CHINESE = ("zh-yue", "zh-cmn")  # languages of Chinese that have codes of their own
_REGION, _SCRIPT = 2, 4  # how long the parts of a code are

# Codes of three letters (ISO 639-2 and -3) of languages that have one of two, which RFC 5646 wants.
# Of those that recognisers know; Mandarin is what they and others call Chinese.
_LANGUAGES = """
    afr:af alb:sq amh:am ara:ar arm:hy asm:as aze:az bak:ba baq:eu bel:be ben:bn bod:bo bos:bs
    bre:br bul:bg bur:my cat:ca ces:cs chi:zh cmn:zh cym:cy cze:cs dan:da deu:de dut:nl ell:el
    eng:en est:et eus:eu fao:fo fas:fa fin:fi fra:fr fre:fr geo:ka ger:de gle:ga glg:gl gre:el
    guj:gu hat:ht hau:ha heb:he hin:hi hrv:hr hun:hu hye:hy ice:is ind:id isl:is ita:it jav:jv
    jpn:ja kan:kn kat:ka kaz:kk khm:km kor:ko lao:lo lat:la lav:lv lin:ln lit:lt ltz:lb mac:mk
    mal:ml mao:mi mar:mr may:ms mkd:mk mlg:mg mlt:mt mon:mn mri:mi msa:ms mya:my nep:ne nld:nl
    nno:nn nob:nb nor:no oci:oc pan:pa per:fa pol:pl por:pt pus:ps ron:ro rum:ro rus:ru san:sa
    sin:si slk:sk slo:sk slv:sl sna:sn snd:sd som:so spa:es sqi:sq srp:sr sun:su swa:sw swe:sv
    tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tib:bo tuk:tk tur:tr ukr:uk urd:ur uzb:uz vie:vi
    wel:cy yid:yi yor:yo zho:zh
"""
_SHORTER = dict(re.findall(r"(\w+):(\w+)", _LANGUAGES))

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
    return _GENDERS.get(word, word)
