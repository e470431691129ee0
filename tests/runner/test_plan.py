"""The plan: what is decided, and what is refused, before the first clip is touched."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from snacbench.errors import MissingPackage, UserError, WeightsMismatch, WeightsUnavailable
from snacbench.request import Request
from snacbench.runner import plan as planning
from snacbench.runner.plan import make_plan, recorded, summary_of, with_weights

TOYS = Request(codecs="identity,opus@24", limit=1)


def test_the_plan_says_what_will_be_done() -> None:
    plan = make_plan(replace(TOYS, codecs="identity,snac-24khz@0.42", weights=("published",)))
    text = summary_of(plan)
    assert "3 clips" in text["test set"]
    assert "environment, music, speech" in text["test set"]
    assert text["codecs"] == "identity, snac-24khz@0.422kbps"
    assert "snac-24khz: published" in text["weights"]
    assert text["to do"].startswith("6 clips to code")
    assert "not known to be trained to be cut to this depth" in text["truncated"]


def test_a_recipe_makes_the_same_request_again(tmp_path: Path) -> None:
    assert recorded(TOYS) == TOYS
    request = replace(TOYS, data=str(tmp_path))
    assert recorded(request).data == str(tmp_path.resolve())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "av" else found(name)
    )
    with pytest.raises(
        MissingPackage, match=r"opus needs the Python package 'av'.*snacbench check"
    ):
        make_plan(TOYS)


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda: PyTorch finds no CUDA device"):
        make_plan(replace(TOYS, device="cuda"))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"limit": 0}, "--limit must be 1 or more"), ({"segment_s": 0.0}, "must be above 0")],
)
def test_numbers_out_of_range_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_plan(replace(TOYS, **change))


def test_kept_codes_are_in_the_plan() -> None:
    assert "codes" not in planning.summary_of(make_plan(TOYS))
    kept = planning.summary_of(make_plan(replace(TOYS, keep_codes=True)))
    assert kept["codes"] == "kept as .sncb files"


def test_segments_and_limits_are_applied() -> None:
    plan = make_plan(replace(TOYS, segment_s=2.0, limit=2))
    assert len(plan.test_set.clips) == 6
    assert all(clip.duration_s == pytest.approx(2.0, abs=1e-3) for clip in plan.test_set.clips)


def local_snac(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"weights of one's own")
    return folder


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("snac-24khz", "snac-24khz-local"),
        ("snac-24khz@0.42", "snac-24khz-local@0.422kbps"),
        ("snac-32khz", "snac-32khz"),
    ],
)
def test_a_file_that_differs_from_its_pinned_digest_loses_the_published_name(
    tmp_path: Path, codec: str, name: str
) -> None:
    folder = local_snac(tmp_path / "weights")
    plan = make_plan(replace(TOYS, codecs=codec, weights=(str(folder),)))
    (planned,) = with_weights(plan).codecs
    assert planned.spec.name == name
    assert planned.spec.weights.source == "folder"
    assert set(planned.spec.weights.sha256) == {"config.json", "pytorch_model.bin"}


def test_a_cached_file_with_a_wrong_digest_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("SNACBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("SNACBENCH_OFFLINE", "1")
    plan = make_plan(replace(TOYS, codecs="encodec-24khz@6", weights=("published",)))
    name = "encodec_24khz-d7cc33bc.th"
    for folder, error, text in (
        ("hub/checkpoints", WeightsUnavailable, f"cannot get {name} of encodec .*offline"),
        ("weights/encodec-24khz", WeightsMismatch, r"expected d7cc33bc\w+ \(pinned in this"),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_bytes(b"cut off")
        with pytest.raises(error, match=text):
            with_weights(plan)


def test_too_little_space_is_warned_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plan = make_plan(TOYS)
    assert list(planning.warnings_before(plan, tmp_path / "not" / "yet")) == []
    monkeypatch.setattr(planning.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    assert "only 1e-06 GB are free" in next(iter(planning.warnings_before(plan, tmp_path / "r")))
