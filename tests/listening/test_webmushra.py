"""The configuration against webMUSHRA's own rules.

Fields: github.com/audiolabs/webMUSHRA, doc/experimenter.md; those of the questionnaire:
lib/webmushra/pages/FinishPage.js; what sounds must be: lib/webmushra/misc/MushraValidator.js.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml

from snacbench.errors import StoreError, UserError
from snacbench.listening import webmushra as module
from snacbench.listening.stimuli import Facts, make_stimuli
from snacbench.listening.test import texts_of
from snacbench.listening.webmushra import configuration, export_webmushra
from tests.support.audio_run import CODECS, audio_test, make_audio_run

# The fields that webMUSHRA reads of each kind of part, with their types, but for type and optional.
FIELDS = {
    "": "testname:str testId:str language:str bufferSize:int stopOnErrors:bool"
    " showButtonPreviousPage:bool remoteService:str pages:list",
    "generic": "id:str name:str content:str",
    "volume": "id:str name:str content:str stimulus:str defaultVolume:float",
    "mushra": "id:str name:str content:str showWaveform:bool enableLooping:bool strict:bool"
    " randomize:bool showConditionNames:bool reference:str createAnchor35:bool"
    " createAnchor70:bool stimuli:dict",
    "finish": "name:str content:str popupContent:str showResults:bool writeResults:bool"
    " questionnaire:list",
    "likert": "name:str label:str response:list",
    "text": "name:str label:str",
}
TEST = audio_test(
    title="A <b>test</b> & more",
    welcome="Hello <you>\n\nand you.\n",
    consent=texts_of("en").consent,
    questionnaire=texts_of("en").questionnaire,
)


def check_fields(part: Mapping[str, Any]) -> str:
    """Just these fields, each of its type; the part's kind."""
    kind = str(part.get("type", ""))
    found = {f"{k}:{type(v).__name__}" for k, v in part.items() if k not in ("type", "optional")}
    assert found == set(FIELDS[kind].split()), kind
    return kind


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Facts, dict[str, Any]]:
    """A test's folder, what is known of its stimuli, and the configuration."""
    path = tmp_path_factory.mktemp("webmushra")
    make_audio_run(path)
    folder = path / "test"
    facts = make_stimuli(folder, TEST)
    file = export_webmushra(folder, TEST, facts)
    assert file == folder / "webmushra/configs/t.yaml"
    return folder, facts, yaml.safe_load(file.read_text("utf-8"))


def mushra_pages(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    flat = [p for page in config["pages"] for p in (page if isinstance(page, list) else [page])]
    return [page for page in flat if isinstance(page, dict) and page["type"] == "mushra"]


def test_the_configuration_follows_the_schema(made) -> None:
    config = made[2]
    check_fields(config)
    assert (config["testId"], config["language"], config["bufferSize"]) == ("t", "en", 2048)
    *before, (order, *random), finish = config["pages"]
    assert [check_fields(page) for page in before] == ["generic", "generic", "volume", "mushra"]
    assert order == "random"
    assert [check_fields(page) for page in (*random, finish)] == ["mushra", "mushra", "finish"]
    assert [page["id"] for page in mushra_pages(config)] == ["t-1", "one", "two"]
    # Texts are paragraphs of HTML that nothing breaks.
    assert before[0]["name"] == "A &lt;b&gt;test&lt;/b&gt; &amp; more"
    assert before[0]["content"] == "<p>Hello &lt;you&gt;</p><p>and you.</p>"
    questions = finish["questionnaire"]
    found = [f"{q['name']} {check_fields(q)}" for q in questions]
    assert found == ["age likert", "headphones text", "experience likert", "hearing likert"]
    for answer in (a for q in questions if q["type"] == "likert" for a in q["response"]):
        assert answer.keys() == {"value", "label"}


def test_sounds_are_there_alike_and_anchors_under_their_reserved_names(made) -> None:
    root, config, paths = made[0] / "webmushra", made[2], []
    for page in mushra_pages(config):
        # It adds the hidden reference itself, and checks for 12 signals and 12 s.
        assert list(page["stimuli"]) == ["anchor35", "anchor70", *(spec.name for spec in CODECS)]
        assert page["createAnchor35"] is page["createAnchor70"] is False
        assert page["randomize"] is page["strict"] is True
        files = [page["reference"], *page["stimuli"].values()]
        sounds = [soundfile.info(root / file) for file in files]
        found = {(sound.samplerate, sound.frames, sound.channels) for sound in sounds}
        assert found == {(48_000, 72_000, 1)}
        paths += files
    assert len(set(paths)) == len(paths) == 18
    assert config["pages"][2]["stimulus"] in paths
    assert {str(p.relative_to(root)) for p in root.rglob("*.wav")} == set(paths)
    assert not any(name in path for path in paths for name in ("opus", "late", "anchor", "ref"))


def test_it_is_of_its_test_and_written_anew_or_not_at_all(made, monkeypatch) -> None:
    folder, facts, _ = made
    optional = TEST.questionnaire[1].model_copy(update={"required": False})
    update = {"language": "fi", "questionnaire": (optional,)}
    config = configuration(TEST.model_copy(update=update), facts)
    assert (config["language"], config["pages"][-1]["questionnaire"][0]["optional"]) == ("en", True)
    with pytest.raises(UserError, match="--export webmushra: form abx stays on our own page"):
        export_webmushra(folder, TEST.model_copy(update={"form": "abx"}), facts)
    (folder / "webmushra" / "old").touch()
    export_webmushra(folder, TEST, facts)
    assert not (folder / "webmushra" / "old").exists()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.shutil, "copyfile", full)
    with pytest.raises(StoreError, match=r"export of t for webMUSHRA \(No space left"):
        export_webmushra(folder, TEST, facts)
    assert (folder / "webmushra/configs/t.yaml").is_file()
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]
