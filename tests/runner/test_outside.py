"""Decodes brought as files: late, upside down, longer or shorter than their clips."""

import numpy as np
import pytest

from snacbench.audio.align import advanced
from snacbench.rows import Calibration, Coded, Delay, Score
from snacbench.tables.footnotes import delay_notes, late_warnings, run_notes
from snacbench.tables.from_runs import summary_markdown
from snacbench.tables.run_rows import RunRows
from snacbench.types import Audio, Clip
from tests.conftest import broadband
from tests.support.outside_runs import score_files, values, write

RATES_HZ = {"a": 8_000, "b": 16_000, "c": 24_000}
SECONDS = 2.1


def scored(place, change, *, only="abc", align=False, seconds=SECONDS):
    """A codec that adds little noise, and what else is done to its files."""
    for seed, (name, rate_hz) in enumerate(RATES_HZ.items()):
        source = broadband(seconds, rate_hz, seed=seed)
        noise = 0.003 * np.random.default_rng(1).standard_normal(source.samples.shape)
        decode = Audio((source.samples + noise).astype(np.float32), rate_hz)
        write(place / "refs" / f"{name}.wav", source)
        write(place / "evs" / f"{name}.wav", change(decode) if name in only else decode)
    target = place / ("aligned" if align else "run")
    return score_files(place / "refs", place / "evs", target, align=align)


def late_by(delay_s):
    return lambda audio: advanced(audio, -round(delay_s * audio.rate_hz))


def longer_by(difference_s, *, in_front=False):
    def change(audio):
        more = round(difference_s * audio.rate_hz)
        if more < 0:
            return Audio(audio.samples[:, :more], audio.rate_hz)
        place = (more, 0) if in_front else (0, more)
        return Audio(np.pad(audio.samples, [(0, 0), place]), audio.rate_hz)

    return change


def good(folder, metric):
    return all(value is not None and value > 20 for value in values(folder, metric))


def told(folder):
    return " ".join([folder.run.facts["delay"], *delay_notes(RunRows.load(folder))])


@pytest.mark.parametrize(("change", "align", "fitted_s", "removed_s"), [
    (longer_by(-0.06), False, 0.06, None),  # a frame more or less is cut or filled up
    (longer_by(0.1), False, -0.1, None),
    (late_by(-0.5), True, -0.5, -0.5),  # and what a late or early file has lost
    (late_by(0.5), True, 0.5, 0.5),
    (longer_by(0.3, in_front=True), True, None, 0.3),  # which may have kept its end
    (lambda audio: audio, True, None, None),
])  # fmt: skip
def test_a_file_is_brought_in_time_and_to_its_length(tmp_path, change, align, fitted_s, removed_s):
    folder = scored(tmp_path, change, align=align)
    rows = list(folder.read(Coded))
    for found, expected in (
        ([row.fitted_s or 0.0 for row in rows], fitted_s),
        ([row.removed_delay_s or 0.0 for row in rows], removed_s),
    ):
        assert found == pytest.approx([expected or 0.0] * 3, abs=1e-4)
    assert good(folder, "si_sdr_aligned")
    assert [row.delay_s for row in folder.read(Calibration)] == [0.0]


@pytest.mark.parametrize(
    ("difference_s", "seconds"), [(0.12, SECONDS), (-1.0, SECONDS), (-0.06, 0.2), (0.3, SECONDS)]
)
def test_beyond_that_scores_are_undefined_and_say_the_lengths(tmp_path, difference_s, seconds):
    change = longer_by(difference_s, in_front=difference_s == 0.3)  # and not to be aligned
    folder = scored(tmp_path, change, seconds=seconds)
    assert {row.fitted_s for row in folder.read(Coded)} == {None}
    scores = list(folder.read(Score))
    assert {row.status for row in scores} == {"undefined"}
    assert all(f"lasts {seconds + difference_s:.3f} s" in row.reason for row in scores)
    assert all(f"{seconds:.3f} s" in row.reason for row in scores)


def test_a_single_pair_has_the_transcript_beside_its_reference(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.wav", broadband(1.0, 8_000, seed=1))
    (tmp_path / "a.txt").write_text("one two\n")
    folder = score_files(tmp_path / "a.wav", tmp_path / "b.wav", tmp_path / "run")
    assert [clip.transcript for clip in folder.read(Clip)] == ["one two"]


def test_a_clip_that_is_late_by_itself_is_named(tmp_path):
    folder = scored(tmp_path, late_by(0.1), only="b")
    row = next(row for row in folder.read(Delay) if row.clip.endswith("b"))
    assert (row.found, row.own_lag_s, row.lag_s) == (False, 0.1, pytest.approx(0.0, abs=0.00025))
    late = "come in time (median of 3 clips), 1 of them otherwise: 100.0 ms late"
    assert f"evs: decodes {late}" in told(folder)
    rows = RunRows.load(folder)
    assert late in " ".join(late_warnings(rows))
    notes = " ".join(run_notes([rows], [], entropy=False))
    for text in (told(folder), summary_markdown([rows]), notes):
        assert "Alignment not found for evs" in text


def unrelated(audio):
    noise = 0.1 * np.random.default_rng(audio.rate_hz).standard_normal(audio.samples.shape)
    return Audio(noise.astype(np.float32), audio.rate_hz)


def test_inverted_polarity_is_named_and_where_no_delay_is_found_nothing_is_taken_away(tmp_path):
    folder = scored(tmp_path / "a", lambda audio: Audio(-audio.samples, audio.rate_hz))
    assert "in time in 100% of the files looked at, with inverted polarity" in told(folder)
    assert "Inverted polarity: evs (3 of 3 clips)." in told(folder)
    assert not list(late_warnings(RunRows.load(folder)))
    assert good(folder, "si_sdr_aligned")
    folder = scored(tmp_path / "b", unrelated, align=True)
    not_found = "not found: the files do not agree on one within 0.5 s; nothing was taken"
    assert not_found in told(folder)
    assert "Alignment not found for evs (3 of 3 clips)" in told(folder)
    assert {row.removed_delay_s for row in folder.read(Coded)} == {None}
    assert all(value is not None and value < -20 for value in values(folder, "si_sdr_aligned"))
