"""What an exception says about a package that does not load."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from snacbench.errors import CodecError
from snacbench.packages import fault_of, is_installed, missing_package

_LAZY = "import importlib\ndef __getattr__(name):\n    "
_PARTS = f"""{_LAZY}try:
        importlib.import_module('fake_part')
    except OSError as error:
        raise RuntimeError('failed') from error
"""


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose packages, named fake..., can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    fault_of.cache_clear()
    yield tmp_path
    fault_of.cache_clear()
    for name in [name for name in sys.modules if name.startswith("fake")]:
        del sys.modules[name]


def put(site: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = site / name.replace(".", "/")
        path.mkdir(parents=True, exist_ok=True)
        (path / "__init__.py").write_text(text, "utf-8")


def told(name: str, attribute: str = "") -> str:
    with pytest.raises(Exception) as raised:  # noqa: PT011 - any kind at all
        getattr(importlib.import_module(name), attribute)
    return str(missing_package(raised.value) or "a bug of ours")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise OSError('libfake.so: undefined symbol: _Z3foo')", "OSError: libfake.so: undefined"),
        ("import ctypes\nctypes.CDLL('libfake_gone.so.7')", "OSError: libfake_gone.so.7: cannot"),
        ("raise ImportError('libfake.so.1: cannot open shared object')", "ImportError: libfake"),
        ("raise RuntimeError('\\n\\nfor NumPy 1\\nmore')", "(RuntimeError: for NumPy 1)"),
        ("import numpy\nnumpy.no_such_name", "AttributeError: module 'numpy'"),
        ("raise ValueError", "(ValueError)"),
        ("from numpy import no_such_name", "numpy"),
    ],
)
def test_whatever_a_package_raises_while_it_loads_names_it(
    site: Path, text: str, reason: str
) -> None:
    put(site, {"fake_lib": text})
    sentence = told("fake_lib")
    for part in ("fake_lib", reason, "does not load", "pip install -c constraints.txt ."):
        assert part in sentence
    assert "\n" not in sentence
    assert str(fault_of("fake_lib")) == sentence


NATIVE = "def load():\n    raise OSError('no symbol')\nload()"


@pytest.mark.parametrize(
    ("files", "attribute", "sentence"),
    [
        (
            {"fake": "import fake_b", "fake_b": "from . import _c", "fake_b._c": NATIVE}, "",
            "package fake_b, which fake imports, does not load",
        ),
        (
            {"fake": "import fake_gone.part"}, "",
            "package fake_gone, which fake imports, is not installed",
        ),
        # Parts that are imported when they are used; a function that finds a package missing.
        (
            {"fake": _PARTS, "fake_part": "raise OSError('no symbol')"}, "Model",
            "package fake_part does not load (OSError: no symbol)",
        ),
        (
            {"fake": _LAZY + "raise ImportError('needs fake_table')"}, "x",
            "fake does not load (ImportError: needs fake_table)",
        ),
        ({"fake": _LAZY + "raise OSError('the disk is full')"}, "x", "a bug of ours"),
    ],
)  # fmt: skip
def test_the_package_to_blame_is_named(
    site: Path, files: Mapping[str, str], attribute: str, sentence: str
) -> None:
    put(site, files)
    assert sentence in told("fake", attribute)
    assert (is_installed("fake"), is_installed("fake_gone")) == (True, False)


def test_what_is_ours_stays_ours_and_an_extra_is_named() -> None:
    assert told("snacbench.no_such_module") == "a bug of ours"
    assert told("snacbench.units", "no_such_name") == "a bug of ours"
    assert missing_package(CodecError("refused")) is None
    error = ModuleNotFoundError("No module named 'parselmouth'", name="parselmouth")
    assert "parselmouth" in str(missing_package(error))
    assert "'.[speech]'" in str(missing_package(error))


def test_a_package_that_raises_without_a_line_of_python_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def native(name: str) -> None:
        raise OSError("undefined symbol")

    monkeypatch.setattr(importlib, "import_module", native)
    assert "package fake does not load (OSError: undefined symbol)" in str(fault_of("fake"))
