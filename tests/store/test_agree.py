from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from snacbench.errors import StoreError
from snacbench.request import Request
from snacbench.store.agree import check_agreement, metric_versions
from tests.support.synthetic_runs import make_run

VALUES = {"c": {"up": np.arange(3.0)}}
CODEC = {"c": {"torch": "2.11.0+cu128", "c": "1"}}
METRIC = {"up": {"pesq": "1", "metric version": "1", "snacbench": "8"}}


@pytest.mark.parametrize(
    ("second", "how", "message"),
    [
        ({"seed": 8, "request": Request(channels="mono")}, {}, ""),
        ({"seed": 8}, {"same_seed": True}, "cannot be compared: the seed is 7 in the first and 8"),
        ({"set_sha256": "cd" * 32}, {}, r"the test set is tiny \(abab.* \(cdcd"),
        ({"set_sha256": "cd" * 32}, {"same_set": False}, ""),
        ({"request": Request(channels="stereo")}, {}, "--channels is mono in the first and stereo"),
        ({"request": Request(reference="codec-input")}, {}, "--reference is source in the first"),
        ({"version": "2"}, {}, "version of up is 1 in the first and 2 .*score RUN --metrics up"),
        ({"version": "2"}, {"metrics": ["other"]}, ""),
    ],
)
def test_the_first_disagreement_is_named_and_what_does_not_count_may_differ(
    tmp_path, second, how, message
):
    one = make_run(tmp_path / "first", VALUES)
    other = make_run(tmp_path / "second", VALUES, **second)
    assert metric_versions(one) == {"up": {"1"}}
    if not message:
        check_agreement(one, other, why="cannot be compared", **how)
        return
    with pytest.raises(StoreError, match=message):
        check_agreement(one, other, why="cannot be compared", **how)


@pytest.mark.parametrize(
    ("codecs", "metrics", "message"),
    [
        ({"c": {"torch": "2.11.0+cpu", "c": "1"}}, {}, ""),
        ({"other": {"torch": "3"}}, {}, ""),
        ({"c": {"torch": "2.12.0", "c": "1"}}, {}, "c: torch is 2.11.0 in.*2.12.0"),
        ({"c": {"torch": "2.11.0"}}, {}, "c: c is 1 in the first and none in"),
        ({}, {"up": {**METRIC["up"], "pesq": "2"}}, "up: pesq is 1 in .* 2"),
        ({}, {"up": {**METRIC["up"], "snacbench": "9"}}, ""),
    ],
)
def test_versions_of_what_computes_count_where_rows_are_joined(tmp_path, codecs, metrics, message):
    one = make_run(tmp_path / "first", VALUES)
    one.rewrite_run(replace(one.run, codec_versions=CODEC, metric_versions=METRIC))
    versions = {"codec_versions": codecs, "metric_versions": metrics}
    other = make_run(tmp_path / "second", VALUES, **versions)
    check_agreement(one, other, why="cannot be merged")
    if not message:
        check_agreement(one, other, why="cannot be merged", same_versions=True)
        return
    with pytest.raises(StoreError, match=message):
        check_agreement(one, other, why="cannot be merged", same_versions=True)
