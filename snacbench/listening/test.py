"""What a listening test consists of; ``test.yaml`` holds just this.

Conditions go by the names of webMUSHRA: ``reference``, ``anchor35``, ``anchor70``, and every system
by the name of its operating point, such as ``opus@14kbps``.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from snacbench.forms import ANCHOR35, ANCHOR70, FORMS, REFERENCE, RESERVED, FormName
from snacbench.types import Domain
from snacbench.yamlfile import read_yaml

TEST_FILE = "test.yaml"
STIMULI_FOLDER = "stimuli"
ANSWERS_FILE = "answers.sqlite"
DOCS = "docs/listening-tests.md"
PAGE = Path(__file__).with_name("page")

ANCHOR_CUTOFFS_HZ = {ANCHOR35: 3_500, ANCHOR70: 7_000}
RATE_HZ = 48_000
MAX_SYSTEMS = 9  # ITU-R BS.1534-3: 12 signals a page at most, reference and two anchors included
MAX_EXCERPT_S = 12.0
FADE_S = 0.005
MIN_LOOP_S = 0.5
LEAST_HEARD_S = 1.0  # of every sound before it may be judged; all of one that is shorter

Count = Annotated[StrictInt, Field(ge=1)]


class Part(BaseModel):
    """A part of a file: these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(Part):
    """An excerpt of a clip of the run, fades included: what the listener hears on one page."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
    clip: str
    domain: Domain = "unknown"
    start_s: Annotated[float, Field(ge=0)] = 0.0
    duration_s: Annotated[float, Field(gt=0, le=MAX_EXCERPT_S)]


class System(Part):
    """A codec under test; `kbps` is its actual rate over the run, None where not weighed."""

    name: Annotated[str, Field(min_length=1)]
    kbps: float | None = None

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"{name} is added to every test as it is; no system may be called so")
        return name


class Question(Part):
    """A question of the questionnaire; `choices` empty: free text, or a number."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    text: str
    kind: Literal["choice", "text", "number"] = "choice"
    choices: tuple[str, ...] = ()
    required: bool = True

    @model_validator(mode="after")
    def _choices_for_choice_alone(self) -> Self:
        if len(self.choices) < 2 if self.kind == "choice" else self.choices:
            raise ValueError(
                f"{self.id}: kind choice takes two choices or more, other kinds none; found kind "
                f"{self.kind} with {len(self.choices)}"
            )
        return self


class Level(Part):
    """Levels of the stimuli: one gain per item, for all its conditions.

    `match_per_condition` sets each condition to `loudness_lufs` on its own, which hides a codec's
    errors of level; it is off by default and recorded.
    """

    loudness_lufs: float = -23.0
    true_peak_dbtp: float = -1.0
    match_per_condition: bool = False


class ListeningTest(Part):
    """A listening test as its file has it, where each field has its text here as a comment.

    `run` is the folder of the run that it was made from, as seen from the test's own folder;
    `language` names a file in ``listening/page/texts/``.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    """Names the test in results."""
    title: str
    form: FormName = "mushra"
    """mushra, mushra-no-anchors, mushra-no-reference, acr, dcr, ccr, ab or abx."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] = "en"
    """Of the page's own texts; the texts below stand as they are."""
    contact: str = ""
    """Whom listeners may ask, for example 'Ada Byron <ada@example.org>'."""
    shared_computer: bool = False
    """In a lab: between people the browser keeps nothing but answers that are still to be sent."""
    welcome: str = ""
    consent: str = ""
    """Listeners agree to this before they begin. Check it against your own rules."""
    questionnaire: tuple[Question, ...] = ()
    """kind: choice (with choices), text or number; required: false may be skipped."""
    systems: Annotated[tuple[System, ...], Field(min_length=1, max_length=MAX_SYSTEMS)]
    """Operating points of the run, with their actual rate over it in kbps."""
    items: Annotated[tuple[Item, ...], Field(min_length=1)]
    """Excerpts of clips of the run; one page each in mushra, one per condition or pair else."""
    training: tuple[Item, ...] = ()
    """Pages to practise on, before the test; their ratings count for nothing."""
    pages_per_listener: Count | None = None
    """Everybody gets so many pages, a balanced subset; null: all."""
    repeats: Count = 1
    """In ab and abx: how often a pair of an item is asked; 1 in all other forms."""
    allow_tie: bool = True
    """In ab: 'no preference' is an answer."""
    attention_checks: Annotated[StrictInt, Field(ge=0, le=20)] = 0
    """So many more pages tell the listener what to answer, to see who reads; none is rated."""
    address_parameters: tuple[Annotated[str, Field(pattern=r"^[A-Za-z]\w{0,31}$")], ...] = ()
    """Kept of the address that listeners come by, as PROLIFIC_PID; the first tells who it is."""
    record_device: bool = False
    """Keep families of browser and system, and the time zone; the consent text must say so."""
    completion_code: str = ""
    """Shown at the end, for the listener to hand in."""
    completion_url: str = ""
    """A link shown at the end; {code}, {listener} and {PROLIFIC_PID} or the like are filled in."""
    level: Level = Level()
    """One gain for all conditions of an item, lowered until none exceeds the true peak."""
    seed: StrictInt = 0
    """Which clips were chosen, and who gets which pages in which order."""
    run: str
    """Where the sound came from; results go back into this run."""
    run_id: str
    set_sha256: str
    version: Literal[1] = 1
    made_by: str = ""

    @field_validator("systems", "items", "training", "questionnaire")
    @classmethod
    def _each_by_its_own_name(cls, parts: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        key = "name" if info.field_name == "systems" else "id"
        others = info.data.get("items", ()) if info.field_name == "training" else ()
        names = [getattr(part, key) for part in (*others, *parts)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{key} {name} is there twice; every one needs its own")
        if key == "name" and info.data.get("form") == "ab" and len(parts) < 2:
            raise ValueError("form ab compares systems with each other; name two or more")
        return parts

    @field_validator("completion_url")
    @classmethod
    def _leads_where_it_says(cls, url: str, info: ValidationInfo) -> str:
        known = {"code", "listener", *info.data.get("address_parameters", ())}
        host = re.match(r"https?://[^{}/?#@\s]+([/?#]\S*)?$", url)
        if url and not (host and known.issuperset(re.findall(r"{(.*?)}", url))):
            names = ", ".join(sorted(known))
            raise ValueError(f"expected https://HOST/..., in braces one of {names}; found {url!r}")
        return url

    @field_validator("repeats")
    @classmethod
    def _repeats_of_pairs_alone(cls, repeats: int, info: ValidationInfo) -> int:
        if repeats > 1 and FORMS[form := info.data.get("form", "ab")].rates:
            raise ValueError(f"only ab and abx ask for something again; form {form} takes 1")
        return repeats

    @property
    def conditions(self) -> tuple[str, ...]:
        """Every condition that has a stimulus, the reference first, then anchors, then systems."""
        anchors = ANCHOR_CUTOFFS_HZ if FORMS[self.form].anchors else ()
        return (REFERENCE, *anchors, *(system.name for system in self.systems))


def read_test(folder: Path) -> ListeningTest:
    """The test in a folder; `UserError` names file, line and field of what is wrong in it."""
    return read_yaml(folder / TEST_FILE, ListeningTest, noun="listening test", docs=DOCS)


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
    """What a new test says to its listeners; in English where the language has no texts yet."""
    path = PAGE / "texts" / f"{language.partition('-')[0]}.yaml"
    path = path if path.is_file() else path.with_name("en.yaml")
    return read_yaml(path, Texts, noun="texts", docs=DOCS)
