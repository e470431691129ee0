"""The configuration against webMUSHRA's own rules.

Fields: github.com/audiolabs/webMUSHRA, doc/experimenter.md; those of the questionnaire:
lib/webmushra/pages/FinishPage.js; what sounds must be: lib/webmushra/misc/MushraValidator.js.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import soundfile
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from snacbench.errors import StoreError, UserError
from snacbench.listening import webmushra as module
from snacbench.listening.facts import Facts
from snacbench.listening.stimuli import make_stimuli
from snacbench.listening.test import Item, ListeningTest, System
from snacbench.listening.texts import texts_of
from snacbench.listening.webmushra import configuration, export_webmushra
from tests.listening.audio_run import CODECS, make_audio_run


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Generic(_Strict):
    type: Literal["generic"]
    id: str
    name: str
    content: str


class Volume(_Strict):
    type: Literal["volume"]
    id: str
    name: str
    content: str
    stimulus: str
    defaultVolume: Annotated[float, Field(ge=0, le=1)]  # noqa: N815 - its name


class Mushra(_Strict):
    type: Literal["mushra"]
    id: str
    name: str
    content: str
    showWaveform: bool  # noqa: N815
    enableLooping: bool  # noqa: N815
    strict: bool
    randomize: bool
    showConditionNames: bool  # noqa: N815
    reference: str
    createAnchor35: bool  # noqa: N815
    createAnchor70: bool  # noqa: N815
    stimuli: dict[str, str]


class Response(_Strict):
    value: str
    label: str


class Likert(_Strict):
    type: Literal["likert"]
    name: str
    label: str
    response: Annotated[list[Response], Field(min_length=2)]
    optional: bool = False


class Text(_Strict):
    type: Literal["text"]
    name: str
    label: str
    optional: bool = False


class Finish(_Strict):
    type: Literal["finish"]
    name: str
    content: str
    popupContent: str  # noqa: N815
    showResults: bool  # noqa: N815
    writeResults: bool  # noqa: N815
    questionnaire: list[Likert | Text]


Page = Annotated[Generic | Volume | Mushra | Finish, Field(discriminator="type")]


class Configuration(_Strict):
    testname: str
    testId: str  # noqa: N815
    language: Literal["en", "de"] = "en"
    bufferSize: Literal[256, 512, 1024, 2048, 4096, 8192, 16384]  # noqa: N815
    stopOnErrors: bool  # noqa: N815
    showButtonPreviousPage: bool  # noqa: N815
    remoteService: str  # noqa: N815
    pages: list[Page | list[Literal["random"] | Page]]


def item(id_: str, clip: str) -> Item:
    return Item(id=id_, clip=clip, start_s=0.0, duration_s=1.5)


TEXTS = texts_of("en")
TEST = ListeningTest(
    id="t", title="A <b>test</b> & more", run="../run", run_id="run1", set_sha256="ab" * 32,
    systems=tuple(System(name=spec.name) for spec in CODECS),
    items=(item("one", "set/b"), item("two", "set/d")), training=(item("t-1", "set/a"),),
    welcome="Hello <you>\n\nand you.\n", consent=TEXTS.consent,
    questionnaire=TEXTS.questionnaire,
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts]:
    path = tmp_path_factory.mktemp("webmushra")
    make_audio_run(path)
    folder = path / "test"
    folder.mkdir()
    facts = make_stimuli(folder, TEST)
    assert export_webmushra(folder, TEST, facts) == folder / "webmushra/configs/t.yaml"
    return folder, facts


def told(folder: Path) -> dict[str, Any]:
    found = yaml.safe_load((folder / "webmushra/configs/t.yaml").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def mushra_pages(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    flat = [p for page in config["pages"] for p in (page if isinstance(page, list) else [page])]
    return [page for page in flat if isinstance(page, dict) and page["type"] == "mushra"]


def test_the_configuration_follows_the_schema(made: tuple[Path, Facts]) -> None:
    config = told(made[0])
    checked = TypeAdapter(Configuration).validate_python(config)
    assert checked.testId == "t"
    kinds = [page[0] if isinstance(page, list) else page.type for page in checked.pages]
    assert kinds == ["generic", "generic", "volume", "mushra", "random", "finish"]
    assert isinstance(checked.pages[4], list)
    assert len(checked.pages[4]) == 3
    ids = [page["id"] for page in mushra_pages(config)]
    assert ids == ["t-1", "one", "two"]


def test_anchors_are_files_under_the_reserved_names(made: tuple[Path, Facts]) -> None:
    for page in mushra_pages(told(made[0])):
        assert list(page["stimuli"]) == [
            "anchor35", "anchor70", "late@8kbps", "early@2kbps", "quiet@4kbps",
        ]  # fmt: skip
        assert page["createAnchor35"] is page["createAnchor70"] is False
        assert page["randomize"] is page["strict"] is True
        # It adds the hidden reference itself, and checks for 12 signals and 12 s.
        assert "reference" not in page["stimuli"]
        assert len(page["stimuli"]) + 1 <= 12


def test_sounds_are_there_and_alike(made: tuple[Path, Facts]) -> None:
    folder, _ = made
    root = folder / "webmushra"
    config = told(folder)
    paths = []
    for page in mushra_pages(config):
        files = [page["reference"], *page["stimuli"].values()]
        found = {(i.samplerate, i.frames, i.channels) for i in map(soundfile.info, paths_in(root,
                 files))}  # fmt: skip
        assert found == {(48_000, 72_000, 1)}
        paths += files
    assert len(set(paths)) == len(paths) == 18
    assert config["pages"][2]["stimulus"] in paths
    assert {str(p.relative_to(root)) for p in root.rglob("*.wav")} == set(paths)
    assert not any(name in path for path in paths for name in ("opus", "late", "anchor", "ref"))


def paths_in(root: Path, files: list[str]) -> list[Path]:
    return [root / file for file in files]


def test_texts_are_paragraphs_of_html_that_nothing_breaks(made: tuple[Path, Facts]) -> None:
    welcome = told(made[0])["pages"][0]
    assert welcome["name"] == "A &lt;b&gt;test&lt;/b&gt; &amp; more"
    assert welcome["content"] == "<p>Hello &lt;you&gt;</p><p>and you.</p>"


def test_the_questionnaire_is_on_the_last_page(made: tuple[Path, Facts]) -> None:
    questions = told(made[0])["pages"][-1]["questionnaire"]
    assert [(q["name"], q["type"]) for q in questions] == [
        ("age", "likert"), ("headphones", "text"), ("experience", "likert"), ("hearing", "likert"),
    ]  # fmt: skip
    optional = TEST.questionnaire[1].model_copy(update={"required": False})
    config = configuration(TEST.model_copy(update={"questionnaire": (optional,)}), made[1])
    assert config["pages"][-1]["questionnaire"][0]["optional"] is True


@pytest.mark.parametrize(("language", "expected"), [("de", "de"), ("en-GB", "en"), ("fi", "en")])
def test_its_buttons_speak_two_languages(
    made: tuple[Path, Facts], language: str, expected: str
) -> None:
    config = configuration(TEST.model_copy(update={"language": language}), made[1])
    assert config.get("language") == expected


def test_it_is_written_anew_or_not_at_all(
    made: tuple[Path, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "test"
    shutil.copytree(made[0], folder)
    (folder / "webmushra" / "old").touch()
    export_webmushra(folder, TEST, made[1])
    assert not (folder / "webmushra" / "old").exists()
    monkeypatch.setattr(module.shutil, "copyfile", _full)
    with pytest.raises(StoreError, match=r"export of t for webMUSHRA \(No space left"):
        export_webmushra(folder, TEST, made[1])
    assert (folder / "webmushra/configs/t.yaml").is_file()
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_pairs_stay_on_our_own_page(made: tuple[Path, Facts]) -> None:
    with pytest.raises(UserError, match="--export webmushra: form abx stays on our own page"):
        export_webmushra(made[0], TEST.model_copy(update={"form": "abx"}), made[1])
