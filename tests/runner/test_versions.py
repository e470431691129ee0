"""What computes a run: packages and machine, and what metrics answer before it."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

import snacbench
from snacbench.errors import StoreError, UserError
from snacbench.runner import versions
from snacbench.runner.versions import facts_of, machine, make_ready, package_versions, scored_too
from snacbench.types import Metric, MetricSpec
from tests.support.synthetic_runs import RUN


def refuse(*_: object) -> Any:
    raise OSError("no such file")


def test_packages_and_the_machine_are_those_of_what_runs(monkeypatch):
    found, facts = package_versions(), machine()
    assert found["python"] == platform.python_version()
    assert (found["numpy"], found["snacbench"]) == (np.__version__, snacbench.__version__)
    monkeypatch.setattr(versions, "PACKAGES", ("no-such-package",))
    assert package_versions()["no-such-package"] == "not installed"
    assert facts["system"].startswith(platform.system())
    assert min(int(facts["cores"]), float(facts["memory_gib"])) > 0
    monkeypatch.setattr(platform, "processor", lambda: "")
    listing = "vendor_id : A\nmodel name\t: Fast CPU 3\n"
    for read, processor in ((lambda *_: listing, "Fast CPU 3"), (refuse, "unknown")):
        monkeypatch.setattr(Path, "read_text", read)
        assert machine()["processor"] == processor
    monkeypatch.setattr(versions.os, "sysconf", refuse)
    assert machine()["memory_gib"] == "0.0"


def test_gpus_are_named_by_their_driver(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert versions.gpu() == "unknown: nvidia-smi does not tell"
    program.write_text("#!/bin/sh\necho 'GPU X, 570.1, 81559 MiB'\necho 'GPU Y, 570.1, 1 MiB'\n")
    program.chmod(0o755)
    assert versions.gpu() == "GPU X, 570.1, 81559 MiB; GPU Y, 570.1, 1 MiB"
    program.write_text("#!/bin/sh\nexit 9\n")
    assert versions.gpu() == "unknown: nvidia-smi does not tell"


WORDS = MetricSpec("words", "1", "higher", (0, 9), 16_000, "a toy", needs_transcript=True)


def answering(facts: dict[str, str]) -> Metric:
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
