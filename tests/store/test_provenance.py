from __future__ import annotations

import platform

import numpy as np
import pytest

import snacbench
from snacbench.store import provenance
from snacbench.store.provenance import machine, package_versions


def test_versions_are_those_of_what_runs():
    versions = package_versions()
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert versions["snacbench"] == snacbench.__version__
    assert {"torch", "snac", "visqol-python", "soxr"} <= versions.keys()


def test_a_package_that_is_not_installed_is_written_down_too(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("no-such-package",))
    assert package_versions()["no-such-package"] == "not installed"


def test_the_machine_is_described():
    facts = machine()
    assert facts["system"].startswith(platform.system())
    assert int(facts["cores"]) >= 1
    assert float(facts["memory_gib"]) > 0
    assert facts["processor"]


@pytest.mark.parametrize(
    ("listing", "processor"),
    [("vendor_id : A\nmodel name\t: Fast CPU 3\n", "Fast CPU 3"), ("nothing", "some arm")],
)
def test_the_processor_is_read_off_the_system(monkeypatch, listing, processor):
    monkeypatch.setattr(provenance.Path, "read_text", lambda *args: listing)
    monkeypatch.setattr(platform, "processor", lambda: "some arm")
    assert machine()["processor"] == processor


def test_a_system_that_tells_nothing_is_no_error(monkeypatch):
    def refuse(*args):
        raise OSError

    monkeypatch.setattr(provenance.Path, "read_text", refuse)
    monkeypatch.setattr(provenance.os, "sysconf", refuse)
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert (machine()["processor"], machine()["memory_gib"]) == ("unknown", "0.0")


def test_gpus_are_named_by_their_driver(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert provenance.gpu() == "unknown: nvidia-smi does not tell"
    program.write_text("#!/bin/sh\necho 'GPU X, 570.1, 81559 MiB'\necho 'GPU Y, 570.1, 1 MiB'\n")
    program.chmod(0o755)
    assert provenance.gpu() == "GPU X, 570.1, 81559 MiB; GPU Y, 570.1, 1 MiB"
    program.write_text("#!/bin/sh\nexit 9\n")
    assert provenance.gpu() == "unknown: nvidia-smi does not tell"
