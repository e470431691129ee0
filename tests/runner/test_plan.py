"""The plan and the versions before the first clip, and what progress is told of a run."""

import importlib.util
import platform
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock, call

import numpy as np
import pytest

import snacbench
from snacbench.errors import MissingPackage, StoreError, UserError
from snacbench.progress import Progress
from snacbench.request import Request
from snacbench.rows import Coded, Score
from snacbench.runner import plan as planning
from snacbench.runner import versions
from snacbench.runner.engine import resume, run
from snacbench.runner.versions import facts_of, machine, make_ready, package_versions, scored_too
from snacbench.selectors import select
from snacbench.types import Metric, MetricSpec
from tests.support.cases import cases
from tests.support.synthetic_runs import RUN

TOYS = Request(codecs="identity,opus@24", limit=1)


def test_the_plan_says_what_will_be_done():
    request = replace(TOYS, codecs="identity,snac-24khz@0.42", weights=("published",))
    text = planning.summary_of(planning.make_plan(request))
    other = replace(TOYS, keep_codes=True, precision="bf16", keep_decoded=False)
    assert text.keys().isdisjoint({"codes", "precision", "decoded audio"})
    for key, part in {
        "test set": "3 clips",
        "codecs": "identity, snac-24khz@0.422kbps",
        "weights": "snac-24khz: published",
        "to do": "6 clips to code",
        "truncated": "not known to be trained to be cut to this depth",
        "codes": "kept as .sncb files",
        "precision": "codes are compared with fp32's first",
        "decoded audio": "removed once it is scored",
    }.items():
        assert part in (planning.summary_of(planning.make_plan(other)) | text)[key]


def test_a_request_is_recorded_so_that_any_folder_can_take_it_up(tmp_path):
    assert planning.recorded(TOYS) == TOYS
    request = replace(TOYS, data=str(tmp_path), out=tmp_path)
    assert planning.recorded(request) == replace(TOYS, data=str(tmp_path.resolve()))


@pytest.mark.parametrize(("change", "message"), cases(__file__)["refused"])
def test_what_makes_no_sense_or_is_not_here_is_refused(monkeypatch, change, message):
    torch, found = pytest.importorskip("torch"), importlib.util.find_spec
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gone = "" if change else "av"
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == gone else found(n))
    with pytest.raises(UserError if change else MissingPackage, match=message):
        planning.make_plan(replace(TOYS, **change))


def test_only_pytorch_codecs_take_device_precision_and_batch():
    gpu = Request("opus@24,snac-mini", device="cuda", precision="bf16", batch=4)
    opus, snac = planning.plan_codecs(gpu)[0]
    assert (opus.device, opus.precision, opus.batch) == ("cpu", "fp32", 1)
    assert (snac.device, snac.precision, snac.batch) == ("cuda", "bf16", 4)
    assert planning.plan_codecs(replace(gpu, batch=None))[0][1].batch is None


@pytest.mark.parametrize(("codec", "name"), [
    ("snac-24khz", "snac-24khz-local"),
    ("snac-24khz@0.42", "snac-24khz-local@0.422kbps"),
    ("snac-32khz", "snac-32khz"),
])  # fmt: skip
def test_a_file_that_differs_from_its_pinned_digest_loses_the_published_name(tmp_path, codec, name):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"weights of one's own")
    asked = replace(TOYS, codecs=codec, weights=(str(tmp_path),), conditions=("cascade@2",))
    planned, under = planning.with_weights(planning.make_plan(asked)).codecs
    assert (under.spec.name, under.base) == (f"{name}+cascade@2", planned)
    assert (planned.spec.model, under.spec.model) == (m := name.split("@")[0], f"{m}+cascade@2")
    assert planned.spec.name == name
    assert planned.spec.weights.source == "folder"
    assert set(planned.spec.weights.sha256) == {"config.json", "pytorch_model.bin"}


def test_points_come_under_every_condition_that_they_can_have_and_others_are_told(tmp_path):
    plan = planning.make_plan(replace(TOYS, conditions=("loss@1%,5%", "loss@5%", "level@-0dB")))
    opus, names = "opus@24kbps", ("loss@1%", "loss@5%", "level@0dB")
    points = ["identity", opus, *(f"{opus}+{name}" for name in names[:2])]
    points += [f"{point}+{names[2]}" for point in points[:2]]
    assert [codec.spec.name for codec in plan.codecs] == points
    assert [codec.spec.name for codec in plan.bases] == points[:2]
    told = "loss@1%, loss@5% of identity: it sends a clip as a whole"
    text = planning.summary_of(plan)
    assert (text["codecs"], text["conditions"]) == (f"identity, {opus}", ", ".join(names))
    assert told in text["left out"]
    assert told in next(iter(planning.warnings_before(plan, tmp_path)))
    assert planning.recorded(plan.request).conditions == names


def test_two_points_of_one_name_are_refused(monkeypatch):
    ((model, spec),) = select("opus@24")
    pairs = [(model, spec), (model, replace(spec.under("cascade@2"), condition=""))]
    monkeypatch.setattr(planning, "_selected", lambda *_: pairs)
    with pytest.raises(UserError, match=r"would have the name opus@24kbps\+cascade@2"):
        planning.plan_codecs(replace(TOYS, conditions=("cascade@2",)))


def test_too_little_space_is_warned_of(monkeypatch, tmp_path):
    plan = planning.make_plan(TOYS)
    assert list(planning.warnings_before(plan, tmp_path / "not" / "yet")) == []
    monkeypatch.setattr(planning.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    (warning,) = planning.warnings_before(plan, tmp_path / "r")
    assert "only 1e-06 GB are free" in warning


def refuse(*_):
    raise OSError("no such file")


def test_packages_and_the_machine_are_those_of_what_runs(monkeypatch, tmp_path):
    found, facts = package_versions(), machine()
    assert found["python"] == platform.python_version()
    assert (found["numpy"], found["snacbench"]) == (np.__version__, snacbench.__version__)
    monkeypatch.setattr(versions, "PACKAGES", ("no-such-package",))
    assert package_versions()["no-such-package"] == "not installed"
    assert facts["system"].startswith(platform.system())
    assert min(int(facts["cores"]), float(facts["memory_gib"])) > 0
    program, unknown = tmp_path / "nvidia-smi", "unknown: nvidia-smi does not tell"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for script, told in (
        ("echo 'GPU X, 5, 1 MiB'\necho 'GPU Y, 2, 2 MiB'", "GPU X, 5, 1 MiB; GPU Y, 2, 2 MiB"),
        ("exit 9", unknown),
    ):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        assert versions.gpu() == told
    program.unlink()
    assert versions.gpu() == unknown
    monkeypatch.setattr(platform, "processor", lambda: "")
    listing = "vendor_id : A\nmodel name\t: Fast CPU 3\n"
    for read, processor in ((lambda *_: listing, "Fast CPU 3"), (refuse, "unknown")):
        monkeypatch.setattr(Path, "read_text", read)
        assert machine()["processor"] == processor
    monkeypatch.setattr(versions.os, "sysconf", refuse)
    assert machine()["memory_gib"] == "0.0"


WORDS = MetricSpec("words", "1", "higher", (0, 9), 16_000, "a toy", needs_transcript=True)


def answering(facts):
    return Metric(WORDS, prepare=lambda reference: 1 / 0, versions=lambda: facts)


def test_later_scores_enter_the_record_of_the_run_and_recognisers_do_not_mix():
    run, metric = replace(RUN, facts={"torch": "2"}), answering({"asr": "parrot, 1", "jiwer": "4"})
    after = scored_too(run, [metric], place="RUN")
    assert after.metrics[-1] == WORDS
    assert after.facts == {"torch": "2", "asr": "parrot, 1", "jiwer": "4"}
    again = scored_too(after, [metric], place="RUN")
    assert [spec.name for spec in again.metrics].count("words") == 1
    with pytest.raises(StoreError, match="RUN was scored by the recogniser parrot, 1, and this"):
        scored_too(after, [answering({"asr": "magpie, 1"})], place="RUN")
    with pytest.raises(StoreError, match="words was computed by jiwer 4, and here that is 5"):
        scored_too(after, [answering({"asr": "parrot, 1", "jiwer": "5"})], place="RUN")


def test_what_fails_before_a_run_is_named():
    metric = answering({})
    with pytest.raises(UserError, match=r"words fails before the run \(OSError: no such file\)"):
        make_ready([replace(metric, ready=refuse)])
    with pytest.raises(UserError, match="words fails before the run"):
        facts_of([replace(metric, versions=refuse)])
    with pytest.raises(UserError, match="not today"):
        make_ready([replace(metric, ready=Mock(side_effect=UserError("not today")))])


def test_progress_is_told_of_every_clip_and_of_what_there_is_not_to_do(tmp_path):
    asked = Request(
        "identity,noise@20dB", limit=1, metrics=("si_sdr",), speed_budget_s=0, jobs=1,
        out=tmp_path / "run", seed=3,
    )  # fmt: skip
    told = Mock(spec=Progress)
    folder = run(asked, progress=told)
    assert (folder.path, folder.run.request.seed) == (tmp_path / "run", 3)
    assert call("encode and decode", 6) in told.begin.mock_calls
    assert told.step.mock_calls.count(call("encode and decode", 1, failed=0)) == 6
    assert told.step.mock_calls.count(call("score", 1, failed=0)) == 3
    assert len(list(folder.read(Coded))) == len(list(folder.read(Score))) == 6
    resume(folder, retry_failed=True, progress=told)
    assert told.note.mock_calls == [call("failed before, tried again: nothing")]
