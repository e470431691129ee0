"""``--data`` and the options of choice; miniature copies of the corpora that papers use."""

from collections import Counter
from dataclasses import replace

import pytest

from snacbench.errors import TestSetError
from snacbench.testsets import Choice, open_chosen, open_test_set, opening, set_names
from snacbench.testsets.corpora import corpora
from snacbench.testsets.describe import facts_by_domain, facts_of
from snacbench.testsets.opening import COMPOSITE_SETS, debian_music, debian_speech


@pytest.fixture
def trees(record, tmp_path):
    """Miniature copies of the three corpora of the DAC paper, in folders of their names."""
    names = [f"daps/clean/{who}_script{n}_clean" for who in ("f10", "m10") for n in range(1, 6)]
    names += [f"MUSDB18-HQ/test/{track}/mixture" for track in ("Band - Song", "Other - Tune")]
    names += [f"audioset/abcdefgh{number:03}" for number in range(9)]
    for name in names:
        record(f"trees/{name}.wav", seconds=3.0 if "audioset" in name else 7.0)
    return tmp_path / "trees"


SMALL = Choice(segments=8, segment_s=2.0)


def test_three_corpora_are_drawn_from_as_one_set(trees):
    drawn = open_chosen("dac-table3", SMALL, root=[str(trees)])
    assert drawn.name == "dac-table3"
    assert Counter(c.domain for c in drawn.clips) == {"speech": 8, "music": 8, "environment": 8}
    assert {c.id.partition("/")[0] for c in drawn.clips} == {"daps", "musdb18-hq", "audioset"}
    assert {c.cluster for c in drawn.clips if c.domain == "speech"} == {"F10", "M10"}
    assert "musdb18-hq: 2 files, a complete copy has 50" in drawn.missing
    assert open_chosen("dac-table3", SMALL, root=[str(trees)]) == drawn
    # A part is drawn as in the whole, and a limit holds after the draw.
    alone = open_chosen("daps", SMALL, root=[str(trees / "daps")])
    assert [c.id for c in alone.clips] == [c.id for c in drawn.clips if c.domain == "speech"]
    few = open_chosen("daps", replace(SMALL, limit=3), root=[str(trees)])
    assert len(few.clips) == 3
    assert {c.id for c in few.clips} < {c.id for c in alone.clips}
    # What it consists of, in words.
    told = facts_by_domain(drawn)
    assert list(told) == ["environment", "music", "speech"]
    speech = told["speech"]
    assert speech.pop("loudness").endswith(" LUFS")
    assert speech.pop("bandwidth").endswith(" kHz")
    rest = ["8", "0.00", "2", "8000 Hz", "1", "0", "en", "lossless", "8", "0 of 8 clips"]
    assert list(speech.values()) == rest
    assert told["environment"]["lossy"] == "lossy"
    facts = facts_of(drawn)
    assert facts["digest"] == drawn.sha256
    assert "CC-BY-NC-4.0 (8)" in facts["licence"]
    assert "a complete copy has 50" in facts["missing"]
    assert "unreadable" not in facts
    # What was not drawn is not measured, and what cannot be read is said.
    (trees / "daps/clean/f10_script1_clean.wav").write_text("junk")
    whole = open_test_set("daps", root=[str(trees)])
    assert facts_of(whole)["unreadable"].startswith("1 file, for example: ")
    assert facts_by_domain(whole)["speech"]["loudness"] == "-"


def test_the_set_of_the_paper_says_how_it_is_drawn(trees, monkeypatch):
    asked = []
    monkeypatch.setattr(opening, "draw", lambda found, what, **_: asked.append(what) or found)
    for choice in (Choice(), Choice(segment_s=5.0, seed=7), SMALL):
        open_chosen("dac-table3", choice, root=[str(trees)])
    open_chosen("daps", Choice(segments=3, min_lufs=-60.0), root=[str(trees)])
    open_chosen("daps", Choice(), root=[str(trees)])  # is not drawn
    whole = Choice(1000, None, 0, -40.0)  # of 10 s
    assert asked == [whole, Choice(1000, 5.0, 7, -40.0), Choice(8, 2.0), Choice(3, None, 0, -60.0)]
    assert set(COMPOSITE_SETS["dac-table3"].parts) <= corpora().keys()
    assert len(set_names()) == len(set(set_names()))


def test_each_corpus_may_have_its_own_root(trees, monkeypatch):
    folders = {"daps": "daps", "musdb18-hq": "MUSDB18-HQ", "audioset": "audioset"}
    roots = [f"{name}={trees / folder}" for name, folder in folders.items()]
    assert len(open_test_set("dac-table3", root=roots).clips) == 10 + 2 + 9
    # One that lacks its folder ends it before anything is read.
    (trees / "audioset").rename(trees / "sounds")
    monkeypatch.setattr("snacbench.testsets.opening.corpus_set", None)
    with pytest.raises(TestSetError, match=r"holds no folder audioset; .*--root audioset=DIR"):
        open_test_set("dac-table3", root=[str(trees)])


def test_sets_of_debian(record, tmp_path):
    for name in ("sense_01-austen-0870", "sense_01-austen-0880"):
        record(f"speech/{name}.wav")
    text = "<s> and mister john dashwood </s> (sense_01-austen-0870)\nnot a transcript\n"
    (tmp_path / "speech/transcription").write_text(text)
    first, second = debian_speech(tmp_path / "speech").clips
    assert first.id == "debian-speech/sense_01-austen-0870"
    assert (first.transcript, second.transcript) == ("and mister john dashwood", None)
    assert first.cluster == second.cluster == "sense_01-austen"
    assert (first.domain, first.lossy_source) == ("speech", True)
    for name, seconds in (("loop_long", 4.0), ("loop_short", 3.9), ("ambi_choir", 4.0)):
        record(f"music/{name}.flac", seconds=seconds)
    (tmp_path / "music/bass_broken.flac").write_text("no")
    found = debian_music(tmp_path / "music")
    assert [clip.id for clip in found.clips] == ["debian-music/loop_long"]
    assert [clip.id for clip in found.broken] == ["debian-music/bass_broken"]
    assert (found.clips[0].domain, found.clips[0].lossy_source) == ("music", False)
    for package, build in (("pocketsphinx-testdata", debian_speech), ("sonic-pi", debian_music)):
        text = rf"none is not on this machine; run: apt-get install {package}"
        with pytest.raises(TestSetError, match=text):
            build(tmp_path / "none")


def test_open_takes_a_name_a_folder_or_a_manifest(record, tmp_path):
    record("set/a.wav")
    (tmp_path / "set/list.csv").write_text("path\na.wav\n")
    assert open_test_set("quick").name == "quick"
    for data in ("set", "set/list.csv"):
        (clip,) = open_test_set(str(tmp_path / data), domain="music").clips
        assert (clip.id, clip.domain) == ("set/a", "music")


@pytest.mark.parametrize(("data", "choice", "root", "message"), [
    ("quick", {"segments": 0}, (), "--segments must be 1 or more, found 0"),
    ("quick", {"limit": -1}, (), "--limit must be 1 or more, found -1"),
    ("quick", {"segment_s": 0.0}, (), r"--segment-s must be above 0, found 0.0"),
    ("quick", {}, ("/",), "--root goes with a known corpus or a manifest, not"),
    (__file__, {}, (), "py: a single file; "),
    ("debian-musik", {}, (), "no such folder, .*; did you mean debian-music"),
    ("musdb18", {}, (), "no such folder, .*; did you mean musdb18-hq"),
])  # fmt: skip
def test_what_cannot_be_opened(data, choice, root, message):
    with pytest.raises(TestSetError, match=message):
        open_chosen(data, Choice(**choice), root=root)
