"""What a new test says to its listeners; it stands in ``test.yaml`` and is meant to be edited."""

from __future__ import annotations

from dataclasses import dataclass

from snacbench.listening.test import Question


@dataclass(frozen=True)
class Texts:
    """Greeting, consent and questionnaire of a test, in one language."""

    title: str
    welcome: str
    consent: str
    questionnaire: tuple[Question, ...]


_ENGLISH = Texts(
    title="Listening test",
    welcome="""\
Thank you for taking part. You will hear short recordings in several versions and judge how good \
they sound. There are no right or wrong answers: what you hear is what counts.
""",
    consent="""\
Taking part is voluntary. You may stop at any time without giving a reason.
We store your ratings and comments, how often you played each sound and how long you took, the \
result of the headphone check, and your answers to the questions that follow. You get a random \
name. We store neither your own name nor your address.
You can have all of this deleted, at the end of the test or later, by telling us your random name.
We publish the results, and may publish the answers under the random names: please write nothing \
into comments by which you could be recognised.
Sounds are played at a moderate level. Please set your volume at the beginning and leave it so.
""",
    questionnaire=(
        Question(
            id="age",
            text="Your age",
            choices=("under 25", "25 to 34", "35 to 44", "45 to 54", "55 or more", "no answer"),
        ),
        Question(id="headphones", text="Your headphones: make and model", kind="text"),
        Question(
            id="experience",
            text="Your experience with listening tests",
            choices=(
                "none",
                "I work with sound or make music",
                "I have taken part in listening tests",
                "I am a trained listener",
            ),
        ),
        Question(
            id="hearing",
            text="Do you have difficulties with your hearing?",
            choices=("none that I know of", "yes, slight", "yes, considerable", "no answer"),
        ),
    ),
)

_GERMAN = Texts(
    title="Hörtest",
    welcome="""\
Danke, dass Sie mitmachen. Sie hören kurze Aufnahmen in mehreren Fassungen und beurteilen, wie gut \
sie klingen. Es gibt keine richtigen oder falschen Antworten: Es zählt, was Sie hören.
""",
    consent="""\
Die Teilnahme ist freiwillig. Sie können jederzeit ohne Angabe von Gründen aufhören.
Wir speichern Ihre Bewertungen und Bemerkungen, wie oft Sie jeden Klang gespielt und wie lange Sie \
gebraucht haben, das Ergebnis der Kopfhörerprüfung und Ihre Antworten auf die folgenden Fragen. \
Sie bekommen einen zufälligen Namen. Ihren eigenen Namen und Ihre Adresse speichern wir nicht.
Sie können das alles löschen lassen, am Ende des Tests oder später, indem Sie uns Ihren zufälligen \
Namen nennen.
Wir veröffentlichen die Ergebnisse und vielleicht auch die Antworten unter den zufälligen Namen: \
Bitte schreiben Sie in Bemerkungen nichts, woran man Sie erkennen könnte.
Die Lautstärke ist mäßig. Bitte stellen Sie sie zu Beginn ein und lassen Sie sie dann so.
""",
    questionnaire=(
        Question(
            id="age",
            text="Ihr Alter",
            choices=("unter 25", "25 bis 34", "35 bis 44", "45 bis 54", "55 oder mehr", "keine "
                     "Angabe"),
        ),
        Question(id="headphones", text="Ihr Kopfhörer: Marke und Modell", kind="text"),
        Question(
            id="experience",
            text="Ihre Erfahrung mit Hörtests",
            choices=(
                "keine",
                "Ich arbeite mit Ton oder mache Musik",
                "Ich habe schon an Hörtests teilgenommen",
                "Ich bin geschulte Hörerin oder geschulter Hörer",
            ),
        ),
        Question(
            id="hearing",
            text="Haben Sie Schwierigkeiten mit dem Hören?",
            choices=("keine, soweit ich weiß", "ja, leichte", "ja, erhebliche", "keine Angabe"),
        ),
    ),
)  # fmt: skip

_TEXTS = {"en": _ENGLISH, "de": _GERMAN}


def texts_of(language: str) -> Texts:
    """The texts of a new test; in English where the language has none yet."""
    return _TEXTS.get(language.partition("-")[0], _ENGLISH)
