"""The plan: what is decided, and what is refused, before the first clip is touched."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from types import SimpleNamespace

import pytest

from snacbench.errors import MissingPackage, UserError
from snacbench.request import Request
from snacbench.runner import plan as planning
from snacbench.runner.plan import (
    make_plan,
    plan_codecs,
    recorded,
    summary_of,
    warnings_before,
    with_weights,
)
from snacbench.testsets.segments import MIN_LUFS

TOYS = Request(codecs="identity,opus@24", limit=1)


def test_the_plan_says_what_will_be_done():
    request = replace(TOYS, codecs="identity,snac-24khz@0.42", weights=("published",))
    text = summary_of(make_plan(request))
    assert "3 clips" in text["test set"]
    assert "environment, music, speech" in text["test set"]
    assert text["codecs"] == "identity, snac-24khz@0.422kbps"
    assert "snac-24khz: published" in text["weights"]
    assert text["to do"].startswith("6 clips to code")
    assert "not known to be trained to be cut to this depth" in text["truncated"]
    assert text.keys().isdisjoint({"codes", "precision", "decoded audio"})
    other = replace(TOYS, keep_codes=True, precision="bf16", keep_decoded=False)
    text = summary_of(make_plan(other))
    assert text["codes"] == "kept as .sncb files"
    assert "codes are compared with fp32's first" in text["precision"]
    assert text["decoded audio"] == "removed once it is scored"


def test_a_request_is_recorded_so_that_any_folder_can_take_it_up(tmp_path):
    assert recorded(TOYS) == TOYS
    request = replace(TOYS, data=str(tmp_path), out=tmp_path)
    assert recorded(request) == replace(TOYS, data=str(tmp_path.resolve()))
    assert Request().min_lufs == MIN_LUFS


def test_what_is_not_here_is_named(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda: PyTorch finds no CUDA device"):
        make_plan(replace(TOYS, device="cuda"))
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "av" else found(name)
    )
    with pytest.raises(MissingPackage, match=r"opus needs the Python package 'av'.*snacbench chec"):
        make_plan(TOYS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"limit": 0}, "--limit must be 1 or more"),
        ({"segment_s": 0.0}, "must be above 0"),
        ({"precision": "tf32"}, "--precision tf32 is for GPUs; use --device cuda"),
        ({"precision": "fp16"}, "--precision fp16 is for GPUs; use --device cuda"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        make_plan(replace(TOYS, **change))


def test_only_pytorch_codecs_take_device_precision_and_batch():
    gpu = Request("opus@24,snac-mini", device="cuda", precision="bf16", batch=4)
    opus, snac = plan_codecs(gpu)[0]
    assert (opus.device, opus.precision, opus.batch) == ("cpu", "fp32", 1)
    assert (snac.device, snac.precision, snac.batch) == ("cuda", "bf16", 4)
    assert plan_codecs(replace(gpu, batch=None))[0][1].batch is None
    assert plan_codecs(Request("snac-mini"))[0][0].batch == 1


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("snac-24khz", "snac-24khz-local"),
        ("snac-24khz@0.42", "snac-24khz-local@0.422kbps"),
        ("snac-32khz", "snac-32khz"),
    ],
)
def test_a_file_that_differs_from_its_pinned_digest_loses_the_published_name(tmp_path, codec, name):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"weights of one's own")
    plan = make_plan(replace(TOYS, codecs=codec, weights=(str(tmp_path),)))
    (planned,) = with_weights(plan).codecs
    assert planned.spec.name == name
    assert planned.spec.weights.source == "folder"
    assert set(planned.spec.weights.sha256) == {"config.json", "pytorch_model.bin"}


def test_too_little_space_is_warned_of(monkeypatch, tmp_path):
    plan = make_plan(TOYS)
    assert list(warnings_before(plan, tmp_path / "not" / "yet")) == []
    monkeypatch.setattr(planning.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    (warning,) = warnings_before(plan, tmp_path / "r")
    assert "only 1e-06 GB are free" in warning
