"""The export for webMUSHRA: what its reader of YAML reads, what its pages take and send."""

import errno
import json
import re
import shutil
import subprocess
from unittest.mock import Mock
from urllib.parse import parse_qs

import pytest
import soundfile
import yaml

from snacbench.errors import StoreError, UserError
from snacbench.listening.stimuli import make_stimuli
from snacbench.listening.test import Question, texts_of
from snacbench.listening.webmushra import cautions, configuration, export_webmushra
from tests.support.audio_run import CODECS, audio_test, make_audio_run
from tests.support.cases import cases
from tests.support.listening_page import SCRIPTS

FIELDS = cases(__file__)
ODD = 'It\'s "odd": *stars* & Größe #1, <b>50 %</b> + {x}: [y] - \\n, & *all'
QUESTIONS = (
    Question(id="work", text=ODD, choices=(ODD, "R&D + 5 %")),
    Question(id="age", text=ODD, choices=("a", "b"), required=False),
    Question(id="phones", text=f"& {ODD}", kind="text"),
)
TEXTS = {"title": ODD, "welcome": f"{ODD}\n\n- {ODD}\n", "consent": f"*{ODD}"}
OF_TWO = audio_test(**TEXTS, questionnaire=QUESTIONS)


def check_fields(part):
    """Just these fields, each of its type; the part's kind."""
    kind = str(part.get("type", ""))
    found = {f"{k}:{type(v).__name__}" for k, v in part.items() if k not in ("type", "optional")}
    assert found == set(FIELDS[kind].split()), kind
    return kind


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A test's folder, what is known of its stimuli, and the text of the configuration."""
    path = tmp_path_factory.mktemp("webmushra")
    make_audio_run(path)
    facts = make_stimuli(path / "test", OF_TWO)
    file = export_webmushra(path / "test", OF_TWO, facts)
    assert file == path / "test/webmushra/configs/t.yaml"
    return path / "test", facts, file.read_text("utf-8")


def test_every_value_stands_in_a_line_of_its_own(exported):
    """Its reader knows neither ``- - random`` nor text that goes on in the next line."""
    _, facts, text = exported
    for line in text.splitlines():
        found = re.fullmatch(r' *(?:-|"[^"]+":)(?: (.+))?', line)
        assert found, line
        assert found[1] is None or not isinstance(json.loads(found[1]), list | dict)
    assert yaml.safe_load(text) == configuration(OF_TWO, facts)


def test_a_reader_of_the_same_author_reads_it(exported, tmp_path):
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no node or no npm on this machine: apt-get install nodejs npm")
    _, facts, text = exported
    expected, command = configuration(OF_TWO, facts), ["node", SCRIPTS / "yamljs.mjs", tmp_path]
    for written, reads in ((text, True), (yaml.safe_dump(expected), False)):  # not `- - random`
        done = subprocess.run(command, input=written, text=True, capture_output=True, check=False)
        if done.returncode == 77:
            pytest.skip(done.stderr)
        read = json.loads(done.stdout) if done.returncode == 0 else done.stderr
        assert (read == expected) is reads, read


def mushra_pages(config):
    flat = [p for page in config["pages"] for p in (page if isinstance(page, list) else [page])]
    return [page for page in flat if isinstance(page, dict) and page["type"] == "mushra"]


def test_the_configuration_follows_the_schema(exported):
    config = yaml.safe_load(exported[2])
    check_fields(config)
    assert (config["testId"], config["language"], config["bufferSize"]) == ("t", "en", 2048)
    *before, (order, *random), finish = config["pages"]
    assert [check_fields(page) for page in before] == ["generic", "consent", "volume", "mushra"]
    assert before[1]["mustConsent"] is True
    assert order == "random"
    assert [check_fields(page) for page in (*random, finish)] == ["mushra", "mushra", "finish"]
    assert [page["id"] for page in mushra_pages(config)] == ["t-1", "one", "two"]
    # Texts are paragraphs of HTML that nothing breaks.
    assert before[0]["name"].startswith("It&#x27;s &quot;odd&quot;: *stars* &amp; Größe #1, &lt;b")
    assert re.fullmatch(r"<p>It[^<]+</p><p>- It[^<]+</p>", before[0]["content"])
    questions = finish["questionnaire"]
    found = [(q["name"], check_fields(q), q.get("optional", False)) for q in questions]
    # A required text with an & would lose all answers: what is typed may be left out.
    assert found == [("work", "likert", False), ("age", "likert", True), ("phones", "text", True)]
    # Values are sent as a form, and not encoded; labels are shown.
    sent = [parse_qs(f"x={answer['value']}")["x"] for answer in questions[0]["response"]]
    assert sent == [[ODD], ["R&D + 5 %"]]
    assert questions[0]["response"][1]["label"] == "R&amp;D + 5 %"


def test_what_is_said_of_it_and_what_its_own_consent_says(exported):
    lost, promises = cautions(OF_TWO)
    assert "an answer to 'phones' in which there is an & loses all that its listener" in lost
    assert "your consent text promises nothing that its pages do not keep" in promises
    usual = OF_TWO.model_copy(update={"consent": texts_of("de").consent, "language": "de"})
    assert len(cautions(usual)) == 1
    config = configuration(usual, exported[1])
    assert "Vor dem Ende wird nichts gesendet" in config["pages"][1]["content"]
    finnish = configuration(OF_TWO.model_copy(update={"language": "fi"}), exported[1])
    assert finnish["language"] == "en"


def test_sounds_are_there_alike_and_anchors_under_their_reserved_names(exported):
    root, config, paths = exported[0] / "webmushra", yaml.safe_load(exported[2]), []
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


def test_it_is_of_its_form_and_written_anew_or_not_at_all(exported, monkeypatch):
    folder, facts, _ = exported
    for form in ("abx", "acr", "mushra-no-reference"):  # its pages always have a reference
        with pytest.raises(UserError, match=f"--export webmushra: form {form} stays on our own"):
            export_webmushra(folder, OF_TWO.model_copy(update={"form": form}), facts)
    (folder / "webmushra" / "old").touch()
    export_webmushra(folder, OF_TWO, facts)
    assert not (folder / "webmushra" / "old").exists()
    full = Mock(side_effect=OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StoreError, match=r"export of t for webMUSHRA .*No space left"):
        export_webmushra(folder, OF_TWO, facts)
    assert (folder / "webmushra/configs/t.yaml").is_file()
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]
