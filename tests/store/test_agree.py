from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from snacbench.errors import StoreError
from snacbench.request import Request
from snacbench.store.agree import check_agreement, metric_versions
from snacbench.store.folder import RunFolder
from tests.support.synthetic_runs import make_run

VALUES = {"c": {"up": np.arange(3.0)}}


@pytest.fixture
def first(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "first", VALUES)


def check(first: RunFolder, second: RunFolder, **options: object) -> None:
    check_agreement(first, second, why="cannot be compared", **options)  # type: ignore[arg-type]


def test_runs_by_the_same_rules_agree(first: RunFolder, tmp_path: Path) -> None:
    second = make_run(tmp_path / "second", VALUES, seed=8, request=Request(channels="mono"))
    check(first, second)
    assert metric_versions(first) == {"up": {"1"}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"set_sha256": "cd" * 32}, r"cannot be compared: the test set is tiny \(abab.* \(cdcd"),
        (
            {"request": Request(channels="stereo")},
            "--channels is mono in the first and stereo in the",
        ),
        ({"request": Request(reference="codec-input")}, "--reference is source in the first"),
        ({"version": "2"}, "version of up is 1 in the first and 2 .*score RUN --metrics up"),
    ],
)
def test_the_first_disagreement_is_named(
    first: RunFolder, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    second = make_run(tmp_path / "second", VALUES, **options)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=message):
        check(first, second)


VERSIONS = {"c": {"torch": "2.11.0+cu128", "c": "1"}}


@pytest.mark.parametrize(
    ("now", "message"),
    [
        ({"codec_versions": {"c": {"torch": "2.11.0+cpu", "c": "1"}}}, ""),
        ({"codec_versions": {"other": {"torch": "3"}}}, ""),
        ({"codec_versions": {"c": {"torch": "2.12.0", "c": "1"}}}, "c: torch is 2.11.0 in.*2.12.0"),
        ({"codec_versions": {"c": {"torch": "2.11.0"}}}, "c: c is 1 in the first and none in"),
        (
            {"metric_versions": {"up": {"pesq": "2", "metric version": "1"}}},
            "up: pesq is 1 in .* 2",
        ),
        (
            {"metric_versions": {"up": {"pesq": "1", "metric version": "1", "snacbench": "9"}}},
            "",
        ),
    ],
)
def test_versions_of_what_computes_count_where_rows_are_joined(
    first: RunFolder, tmp_path: Path, now: dict[str, object], message: str
) -> None:
    before = {"metric_versions": {"up": {"pesq": "1", "metric version": "1", "snacbench": "8"}}}
    first.rewrite_run(replace(first.run, codec_versions=VERSIONS, **before))  # type: ignore[arg-type]
    second = make_run(tmp_path / "second", VALUES, **now)  # type: ignore[arg-type]
    check(first, second)
    if not message:
        check(first, second, same_versions=True)
        return
    with pytest.raises(StoreError, match=message):
        check(first, second, same_versions=True)


def test_what_does_not_count_may_differ(first: RunFolder, tmp_path: Path) -> None:
    second = make_run(tmp_path / "second", VALUES, set_sha256="cd" * 32, version="2")
    check(first, second, same_set=False, metrics=["other"])
    third = make_run(tmp_path / "third", VALUES, seed=8)
    check(first, third)
    with pytest.raises(StoreError, match="the seed is 7 in the first and 8"):
        check(first, third, same_seed=True)
