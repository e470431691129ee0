"""The configuration against webMUSHRA's own rules.

Fields: github.com/audiolabs/webMUSHRA, doc/experimenter.md; those of the questionnaire:
lib/webmushra/pages/FinishPage.js; what sounds must be: lib/webmushra/misc/MushraValidator.js.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml

from snacbench.errors import StoreError, UserError
from snacbench.listening import webmushra as module
from snacbench.listening.stimuli import Facts, make_stimuli
from snacbench.listening.test import Item, ListeningTest, System
from snacbench.listening.texts import texts_of
from snacbench.listening.webmushra import configuration, export_webmushra
from tests.listening.audio_run import CODECS, make_audio_run

FIELDS: dict[str, dict[str, type]] = {
    "": {
        "testname": str, "testId": str, "language": str, "bufferSize": int, "stopOnErrors": bool,
        "showButtonPreviousPage": bool, "remoteService": str, "pages": list,
    },
    "generic": {"id": str, "name": str, "content": str},
    "volume": {"id": str, "name": str, "content": str, "stimulus": str, "defaultVolume": float},
    "mushra": {
        "id": str, "name": str, "content": str, "showWaveform": bool, "enableLooping": bool,
        "strict": bool, "randomize": bool, "showConditionNames": bool, "reference": str,
        "createAnchor35": bool, "createAnchor70": bool, "stimuli": dict,
    },
    "finish": {
        "name": str, "content": str, "popupContent": str, "showResults": bool, "writeResults": bool,
        "questionnaire": list,
    },
    "likert": {"name": str, "label": str, "response": list},
    "text": {"name": str, "label": str},
}  # fmt: skip


def check_fields(part: Mapping[str, Any]) -> str:
    """Just the fields that webMUSHRA reads of such a part, each of its type; the part's type."""
    kind = part.get("type", "")
    found = {name: type(value) for name, value in part.items() if name not in ("type", "optional")}
    assert found == FIELDS[kind], kind
    return str(kind)


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
    check_fields(config)
    assert (config["testId"], config["language"], config["bufferSize"]) == ("t", "en", 2048)
    before, (order, *random), (finish,) = (
        config["pages"][:4],
        config["pages"][4],
        config["pages"][5:],
    )
    assert [check_fields(page) for page in before] == ["generic", "generic", "volume", "mushra"]
    assert order == "random"
    assert [check_fields(page) for page in (*random, finish)] == ["mushra", "mushra", "finish"]
    assert [page["id"] for page in mushra_pages(config)] == ["t-1", "one", "two"]
    for question in finish["questionnaire"]:
        if check_fields(question) == "likert":
            assert len(question["response"]) >= 2
            assert all(answer.keys() == {"value", "label"} for answer in question["response"])


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
        sounds = [soundfile.info(root / file) for file in files]
        found = {(sound.samplerate, sound.frames, sound.channels) for sound in sounds}
        assert found == {(48_000, 72_000, 1)}
        paths += files
    assert len(set(paths)) == len(paths) == 18
    assert config["pages"][2]["stimulus"] in paths
    assert {str(p.relative_to(root)) for p in root.rglob("*.wav")} == set(paths)
    assert not any(name in path for path in paths for name in ("opus", "late", "anchor", "ref"))


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
