"""Runs that may stand together, and runs merged."""

import json
from contextlib import nullcontext
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest

from snacbench import rows
from snacbench.errors import StoreError
from snacbench.request import Request
from snacbench.store.agree import check_agreement, metric_versions
from snacbench.store.merging import merge
from snacbench.store.run_folder import ROW_FILES
from snacbench.tables.run_rows import RunRows, scores_of
from snacbench.types import Clip, Measures, WeightsInfo
from tests.support.synthetic_runs import DOWN, RUN, make_run

THREE = np.arange(3.0)
VALUES = {"c": {"up": THREE}}
CODEC = {"c": {"torch": "2.11.0+cu128", "c": "1"}}
METRIC = {"up": {"pesq": "1", "metric version": "1", "snacbench": "8"}}
PARTS = {"as_parts": True}
DELAY = rows.Delay("tiny/000", "both", 0.001, 8000, 0.9, False, found=True, own_lag_s=0.001)
LISTENED = rows.ListeningSummary("t", "A test", "mushra", False, 9, 8, 6, 0.95)


@pytest.mark.parametrize(("second", "how", "message"), [
    ({"seed": 8, "request": Request(channels="mono")}, {}, ""),
    ({"recordings": {"/n": "cd"}}, {}, "the recording /n is ab in the first and cd in the second"),
    ({"seed": 8}, PARTS, "cannot be merged: the seed is 7 in the first and 8"),
    ({"set_sha256": "cd" * 32}, {}, r"the test set is tiny \(abab.* \(cdcd"),
    ({"request": Request(channels="stereo")}, {}, "--channels is mono in the first and stereo"),
    ({"version": "2"}, {}, "version of up is 1 in the first and 2 .*score RUN --metrics up"),
    ({"version": "2"}, {"metrics": ["other"]}, ""),
    # What computes counts where rows are joined.
    ({"codec_versions": {"c": {"torch": "2.11.0+cpu", "c": "1"}}}, PARTS, ""),
    ({"codec_versions": {"c": {"torch": "2.12.0"}}}, PARTS, "c: torch is 2.11.0 in.*2.12.0"),
    ({"metric_versions": {"up": {**METRIC["up"], "pesq": "2"}}}, PARTS, "pesq is 1 in .* 2"),
    ({"metric_versions": {"up": {**METRIC["up"], "snacbench": "9"}}}, PARTS, ""),
    ({"facts": {"asr": "magpie"}}, PARTS, "the recogniser is parrot in the first and magp"),
])  # fmt: skip
def test_the_first_disagreement_that_counts_is_named(tmp_path, second, how, message):
    one = make_run(tmp_path / "first", VALUES, facts={"asr": "parrot"})
    known = {"codec_versions": CODEC, "metric_versions": METRIC, "recordings": {"/n": "ab"}}
    one.rewrite_run(replace(one.run, **known))
    other = make_run(tmp_path / "second", VALUES, **second)
    assert metric_versions(one) == {"up": {"1"}}
    if how is PARTS or not message:
        check_agreement(one, other, why="cannot be merged", **({} if how is PARTS else how))
    with pytest.raises(StoreError, match=message) if message else nullcontext():
        check_agreement(one, other, why="cannot be merged", **how)


def two(tmp_path, **options):
    """Runs that have one codec each, and one in common."""
    one = make_run(tmp_path / "1", {"a": {"up": THREE}, "both": {"up": THREE}}, id="one")
    scores = {"both": {"up": THREE}, "b": {"up": 2 * THREE}}
    return [one, make_run(tmp_path / "2", scores, id="other", packages={"numpy": "3"}, **options)]


def test_a_merged_run_holds_every_row_once_and_whence_they_came(tmp_path):
    heard = {"facts": {"asr": "parrot, 1"}, "request": Request(asr="parrot")}
    done = merge(two(tmp_path, **heard), tmp_path / "new")
    assert [spec.name for spec in done.folder.run.codecs] == ["a", "both", "b"]
    counts = {kind: len(list(done.folder.read(kind))) for kind in ROW_FILES}
    assert counts[Clip] == 3
    assert counts[rows.Calibration] == 3
    assert counts[rows.Coded] == counts[rows.Score] == counts[rows.CodeHistogram] == 9
    assert done.repeated == 1 + 3 * 3
    assert list(scores_of([RunRows.load(done.folder)], "up", "speech")["b"].values()) == [0, 2, 4]
    run = done.folder.run  # the provenance of every part is kept
    assert run.request.merged == ("one", "other")
    assert run.request.codecs == "a,both,both,b"
    assert run.packages == {"numpy": "3 (part 2)"}
    assert (run.facts, run.request.asr) == ({"asr": "parrot, 1"}, "parrot")
    parts = sorted((done.folder.path / "parts").iterdir())
    assert [p.name for p in parts] == ["1-one.run.json", "2-other.run.json"]
    assert json.loads(parts[1].read_text())["packages"] == {"numpy": "3"}


def test_later_scores_find_the_models_that_any_part_had_in_a_folder(tmp_path):
    def made(name, weights, *models):
        used = {model: WeightsInfo("folder", f"/{name}") for model in models}
        how = {"request": Request(weights=weights), "metric_weights": used}
        return make_run(tmp_path / name, {name: {"up": THREE}}, **how)

    parts = [made("a", ("auto", "u=/a"), "u"), made("b", ("/b", "u=/b", "c=/c"), "u", "v")]
    assert merge(parts, tmp_path / "new").folder.run.request.weights == ("auto", "u=/a", "v=/b")


@pytest.mark.parametrize(("codec", "lacking"), [("a", {}), ("b", {"up": "no model"})])
def test_a_metric_is_lacking_where_a_codec_has_it_in_no_part(tmp_path, codec, lacking):
    one = make_run(tmp_path / "1", {"a": {"up": THREE}}, id="one")
    how = {"id": "other", "metrics": (DOWN,), "lacking": {"up": "no model"}}
    other = make_run(tmp_path / "2", {codec: {"down": THREE}}, **how)
    run = merge([one, other], tmp_path / "new").folder.run
    assert run.lacking == lacking
    assert [metric.name for metric in run.metrics] == ["up", "down"]


def test_decoded_audio_is_linked_or_else_copied(tmp_path, monkeypatch):
    refuse = Mock(side_effect=OSError(28, "No space left on device"))
    parts = two(tmp_path)
    parts[0].append([list(parts[0].read(rows.Coded))[1]])  # a row twice
    done = merge(parts, tmp_path / "new")
    assert (done.linked, done.copied, done.missing) == (9, 0, 0)
    name = parts[1].decoded_path("tiny/000", "b").relative_to(parts[1].path)
    assert (parts[1].path / name).samefile(done.folder.path / name)
    parts[0].decoded_path("tiny/000", "a").unlink()
    monkeypatch.setattr("os.link", refuse)
    done = merge(parts, tmp_path / "copied")
    assert (done.linked, done.copied, done.missing) == (0, 8, 1)
    assert done.folder.decoded_path("tiny/001", "a").read_bytes() == b"a 1"
    monkeypatch.setattr("shutil.copy2", refuse)
    with pytest.raises(StoreError, match=r"cannot write to .*full \(No space left"):
        merge(parts, tmp_path / "full")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "2", "copied", "new"]


@pytest.mark.parametrize("measured", [0, 1])
def test_timings_speeds_and_measures_may_differ_and_the_first_part_counts(tmp_path, measured):
    parts = two(tmp_path)
    row = next(r for r in parts[1].read(rows.Coded) if r.codec == "both")
    parts[1].append([replace(row, encode_s=9.0), rows.ClipMeasures(row.clip, Measures(1, 2, 3, 4))])
    for part, place, own in zip(parts, ("one", "other"), "ab", strict=True):
        part.append([DELAY, *(rows.Speed(name, "cpu", "fp32", place) for name in ("both", own))])
    known = rows.Cost("both", "cpu", 8000, delay_samples=80)
    broken = rows.Cost("both", "cpu", reason="why")
    parts[measured].append([known])
    parts[1 - measured].append([broken])
    done = merge(parts, tmp_path / "new").folder
    assert list(done.read(rows.Cost)) == [known]
    assert {r.encode_s for r in done.read(rows.Coded)} == {0.1}
    assert len(list(done.read(rows.ClipMeasures))) == 1
    found = {row.codec: row.machine for row in done.read(rows.Speed)}
    assert found == {"a": "one", "both": "one", "b": "other"}
    assert list(done.read(rows.Delay)) == [DELAY]


@pytest.mark.parametrize(("change", "message"), [
    (lambda row: replace(DELAY, lag_s=0.002), r"tiny/000 both \(Delay row\): 0.001 and 0.002"),
    (lambda row: replace(row, decoded_sha256="x"), r"disagree on tiny/000 both \(Coded row\)"),
    (lambda row: rows.Score(row.clip, "both", "up", "1", "ok", 7.0), r"both up 1 \(Score row\): 0"),
    (lambda row: rows.Calibration("both", 0.009, 0.9, 1.0, True),
     r"both \(Calibration row\): 0.003"),
])  # fmt: skip
def test_rows_that_differ_are_refused(tmp_path, change, message):
    parts = two(tmp_path)
    row = next(r for r in parts[1].read(rows.Coded) if r.codec == "both")
    parts[0].append([DELAY])
    parts[1].append([change(row)])
    with pytest.raises(StoreError, match=message):
        merge(parts, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_merged_at_all(tmp_path):
    parts = two(tmp_path, seed=RUN.seed + 1)
    with pytest.raises(StoreError, match="cannot be merged: the seed is 7"):
        merge(parts, tmp_path / "new")
    with pytest.raises(StoreError, match="two runs or more, found 1"):
        merge(parts[:1], tmp_path / "new")
    with pytest.raises(StoreError, match="1 is not empty; choose"):
        merge([parts[0], parts[0]], tmp_path / "1")
    with pytest.raises(StoreError, match=r"cannot write to .*run\.json/new \("):
        merge([parts[0], parts[0]], parts[0].path / "run.json" / "new")
    three = [make_run(tmp_path / name, {name: {"up": THREE}}) for name in "abc"]
    for part, facts in zip(three, ({}, {"asr": "parrot"}, {"asr": "magpie"}), strict=True):
        part.rewrite_run(replace(part.run, facts=facts))
    with pytest.raises(StoreError, match=r"b and .*c cannot be merged: the recogniser is parrot"):
        merge(three, tmp_path / "new")
    words = (*RUN.metrics, replace(RUN.metrics[0], name="wer", needs_transcript=True))
    parts = two(tmp_path / "heard", metrics=words)
    assert {clip.language for clip in merge(parts, tmp_path / "right").folder.read(Clip)} == {""}
    clips = list(parts[1].read(Clip))
    parts[1].replace(Clip, [replace(clip, language="de") for clip in clips], of=lambda _: True)
    assert {clip.language for clip in merge(parts, tmp_path / "de").folder.read(Clip)} == {"de"}
    parts[0].rewrite_run(replace(parts[0].run, metrics=words))
    with pytest.raises(StoreError, match=r"of tiny/000 they state \(None, ''\) and \(None, 'de'"):
        merge(parts, tmp_path / "new")
    parts = two(tmp_path / "others")  # codecs of one name must be one codec
    described = json.loads((parts[1].path / "run.json").read_text())
    described["codecs"][0]["weights"]["sha256"] = {"model": "ff"}
    (parts[1].path / "run.json").write_text(json.dumps(described))
    with pytest.raises(StoreError, match=r"both is not the same in both \(weights:"):
        merge(parts, tmp_path / "new")


def test_listening_tests_of_all_parts_are_kept_once_and_must_agree(tmp_path):
    parts = two(tmp_path)
    rating = rows.ListenerScore("t", "x", "i", "tiny/000", "both", 50.0)
    for part in parts:
        part.append([rating, LISTENED])
    parts[1].append([replace(LISTENED, test="u")])
    done = merge(parts, tmp_path / "new").folder
    assert list(done.read(rows.ListenerScore)) == [rating]
    assert [row.test for row in done.read(rows.ListeningSummary)] == ["t", "u"]
    parts[1].append([replace(LISTENED, listeners=7)])
    with pytest.raises(StoreError, match="different results of the listening test 't'; analyse"):
        merge(parts, tmp_path / "other")
