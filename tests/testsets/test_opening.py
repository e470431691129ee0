"""``--data`` and the options of choice; miniature copies of the corpora that papers use."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.errors import TestSetError
from snacbench.testsets import Choice, open_chosen, open_test_set, set_names
from snacbench.testsets.composite import COMPOSITE_SETS
from snacbench.testsets.corpora import corpora
from snacbench.testsets.describe import facts_by_domain, facts_of, with_sample_measured
from snacbench.testsets.export import write_manifest
from snacbench.testsets.opening import draw_of
from snacbench.testsets.segments import Draw

RATE_HZ = 16_000


def noise(path: Path, seconds: float, *, channels: int = 1, gain: float = 0.2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(str(path.name)) + sum(path.name.encode()))
    samples = gain * rng.uniform(-1, 1, (round(seconds * RATE_HZ), channels))
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """Miniature copies of the three corpora of the DAC paper, in folders of their names."""
    root = tmp_path / "trees"
    for speaker in ("f10", "m10"):
        for script in range(1, 6):
            noise(root / "daps" / "clean" / f"{speaker}_script{script}_clean.wav", 6.0)
    for track in ("Band - Song", "Other - Tune"):
        noise(root / "MUSDB18-HQ" / "test" / track / "mixture.wav", 8.0, channels=2)
    for number in range(9):
        noise(root / "audioset" / f"abcdefgh{number:03}.wav", 3.0, gain=0.0 if number == 4 else 0.2)
    return root


SMALL = Choice(segments=8, segment_s=2.0)


def test_three_corpora_are_drawn_from_as_one_set(trees):
    drawn = open_chosen("dac-table3", SMALL, root=[str(trees)])
    assert drawn.name == "dac-table3"
    assert Counter(c.domain for c in drawn.clips) == {"speech": 8, "music": 8, "environment": 8}
    assert {c.id.partition("/")[0] for c in drawn.clips} == {"daps", "musdb18-hq", "audioset"}
    assert {c.cluster for c in drawn.clips if c.domain == "speech"} == {"F10", "M10"}
    assert "musdb18-hq: 2 files, a complete copy has 50" in drawn.missing
    assert open_chosen("dac-table3", SMALL, root=[str(trees)]) == drawn


def test_a_part_of_a_set_is_drawn_as_in_the_set(trees):
    together = open_chosen("dac-table3", SMALL, root=[str(trees)])
    alone = open_chosen("daps", SMALL, root=[str(trees / "daps")])
    assert [c.id for c in alone.clips] == [c.id for c in together.clips if c.domain == "speech"]


def test_the_set_of_the_paper_says_how_it_is_drawn():
    assert draw_of("dac-table3", Choice()) == Draw(1000, 10.0, 0, -40.0)
    assert draw_of("dac-table3", Choice(segment_s=5.0, seed=7)) == Draw(1000, 5.0, 7, -40.0)
    assert draw_of("dac-table3", SMALL) == Draw(8, 2.0)
    assert draw_of("daps", Choice()) is None
    assert draw_of("daps", Choice(segments=3, min_lufs=-60.0)) == Draw(3, 10.0, 0, -60.0)


def test_all_parts_of_composites_are_corpora():
    for entry in COMPOSITE_SETS.values():
        assert set(entry.parts) <= corpora().keys()
    assert len(set_names()) == len(set(set_names()))


def test_a_drawn_set_goes_to_another_machine(trees, tmp_path):
    drawn = open_chosen("dac-table3", SMALL, root=[str(trees)])
    write_manifest(drawn, tmp_path / "table3.csv")
    trees.rename(tmp_path / "elsewhere")
    found = open_test_set(str(tmp_path / "table3.csv"), root=[str(tmp_path / "elsewhere")])
    assert found.sha256 == drawn.sha256
    assert [c.measures for c in found.clips] == [c.measures for c in drawn.clips]


def test_a_corpus_that_lacks_its_folder_ends_it_before_anything_is_read(trees, monkeypatch):
    (trees / "audioset").rename(trees / "sounds")
    monkeypatch.setattr("snacbench.testsets.composite.corpus_set", None)
    with pytest.raises(TestSetError, match=r"holds no folder audioset; .*--root audioset=DIR"):
        open_test_set("dac-table3", root=[str(trees)])


def test_each_corpus_may_have_its_own_root(trees, monkeypatch):
    monkeypatch.setenv("SNACBENCH_ROOT_AUDIOSET", str(trees / "audioset"))
    roots = [f"daps={trees / 'daps'}", f"musdb18-hq={trees / 'MUSDB18-HQ'}"]
    assert len(open_test_set("dac-table3", root=roots).clips) == 10 + 2 + 9


def test_a_limit_holds_after_the_draw(trees):
    drawn = open_chosen("daps", SMALL, root=[str(trees)])
    few = open_chosen("daps", Choice(segments=8, segment_s=2.0, limit=3), root=[str(trees)])
    assert len(few.clips) == 3
    assert {c.id for c in few.clips} < {c.id for c in drawn.clips}


def test_segments_are_drawn_from_any_set(trees):
    drawn = open_chosen(str(trees / "daps"), SMALL)
    assert len(drawn.clips) == 8
    assert all(c.id.startswith("daps/clean/") for c in drawn.clips)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(segments=0), "--segments must be 1 or more, found 0"),
        (Choice(limit=-1), "--limit must be 1 or more, found -1"),
        (Choice(segment_s=0.0), r"--segment-s must be above 0, found 0.0"),
    ],
)
def test_numbers_that_make_no_sense(choice, message):
    with pytest.raises(TestSetError, match=message):
        open_chosen("quick", choice)


def test_a_root_without_a_corpus_is_refused(trees):
    with pytest.raises(TestSetError, match=r"--root goes with a known corpus or a manifest, not"):
        open_test_set("quick", root=[str(trees)])


def test_names_are_suggested_from_all_sets():
    with pytest.raises(TestSetError, match=r"did you mean musdb18-hq\?"):
        open_test_set("musdb18")
    with pytest.raises(TestSetError, match=r"did you mean dac-table3"):
        open_test_set("dac-table")


# ----------------------------------------------------------------------------- in words


def test_what_a_set_consists_of(trees):
    drawn = open_chosen("dac-table3", SMALL, root=[str(trees)])
    environment, music, speech = facts_by_domain(drawn)
    assert (speech.domain, speech.clips, speech.clusters) == ("speech", 8, 2)
    assert speech.hours == pytest.approx(16 / 3600)
    assert (speech.rates, speech.channels, speech.lossy) == ("16000 Hz", "mono", "lossless")
    assert (music.channels, environment.lossy) == ("stereo", "lossy")
    assert speech.measured == 8
    assert speech.loudness.endswith(" LUFS")
    assert speech.clipped == "0 of 8 clips"
    facts = facts_of(drawn)
    assert facts["digest"] == drawn.sha256
    assert "CC-BY-NC-4.0 (8)" in facts["licence"]
    assert "a complete copy has 50" in facts["missing"]
    assert "unreadable" not in facts


def test_a_set_that_is_not_drawn_is_measured_on_a_sample(trees, monkeypatch):
    monkeypatch.setattr("snacbench.testsets.describe._MEASURED_PER_DOMAIN", 4)
    monkeypatch.setattr("snacbench.testsets.describe._MEASURED_S", 1.0)
    (trees / "daps/clean/f10_script1_clean.wav").write_text("junk")
    whole = open_test_set("daps", root=[str(trees)])
    seen = with_sample_measured(whole)
    assert seen.sha256 == whole.sha256
    assert sum(c.measures is not None for c in seen.clips) == 4
    assert seen.notes[-1] == "measured on 1 s of each of 4 clips"
    assert facts_of(seen)["unreadable"].startswith("1 file, for example: ")
    assert with_sample_measured(seen) is seen
    assert facts_by_domain(whole)[0].loudness == "-"


def test_a_sample_that_cannot_be_read_is_said(trees):
    whole = open_test_set("daps", root=[str(trees)])
    (trees / "daps/clean/f10_script1_clean.wav").unlink()
    assert "1 clip cannot be read: " in with_sample_measured(whole).notes[-1]
