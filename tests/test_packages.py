"""What an exception says about a package that does not load."""

import importlib
import sys

import pytest

from snacbench.errors import CodecError
from snacbench.packages import fault_of, is_installed, missing_package
from tests.support.cases import cases

_LAZY = "import importlib\ndef __getattr__(name):\n"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder whose packages, named fake..., can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    fault_of.cache_clear()
    yield tmp_path
    fault_of.cache_clear()
    for name in [name for name in sys.modules if name.startswith("fake")]:
        del sys.modules[name]


def put(site, name, text):
    path = site / name.replace(".", "/")
    path.mkdir(parents=True, exist_ok=True)
    (path / "__init__.py").write_text(text, "utf-8")


def told(name, attribute=""):
    with pytest.raises(Exception) as raised:  # noqa: PT011 - any kind at all
        getattr(importlib.import_module(name), attribute)
    return str(missing_package(raised.value) or "a bug of ours")


@pytest.mark.parametrize(("text", "reason"), cases(__file__)["raised"])
def test_whatever_a_package_raises_while_it_loads_names_it(site, text, reason):
    put(site, "fake_lib", text)
    sentence = told("fake_lib")
    for part in ("fake_lib", reason, "does not load", "pip install -c constraints.txt ."):
        assert part in sentence
    assert "\n" not in sentence
    assert str(fault_of("fake_lib")) == sentence


def test_the_package_to_blame_is_named_and_the_one_that_imports_it(site):
    put(site, "fake_codec", "import fake_audio")
    put(site, "fake_audio", "from . import _native")
    put(site, "fake_audio._native", "def load():\n    raise OSError('no symbol')\nload()")
    assert "package fake_audio, which fake_codec imports, does not load" in told("fake_codec")
    put(site, "fake_other", "import fake_gone.part")
    assert "package fake_gone, which fake_other imports, is not installed" in told("fake_other")
    assert (is_installed("fake_gone"), is_installed("fake_other")) == (False, True)
    error = ModuleNotFoundError("No module named 'parselmouth'", name="parselmouth")
    assert "'.[speech]'" in str(missing_package(error))
    # A package that imports its parts when they are used, or finds one missing.
    text = "    try:\n        importlib.import_module('fake_part')\n"
    text += "    except OSError as error:\n        raise RuntimeError('failed') from error\n"
    put(site, "fake_lazy", _LAZY + text)
    put(site, "fake_part", "raise OSError('no symbol')")
    assert "package fake_part does not load (OSError: no symbol)" in told("fake_lazy", "Model")
    put(site, "fake_frame", _LAZY + "    raise ImportError('needs fake_table')\n")
    assert "fake_frame does not load (ImportError: needs fake_table)" in told("fake_frame", "x")


def test_what_is_ours_stays_ours(site, monkeypatch):
    assert told("snacbench.no_such_module") == "a bug of ours"
    assert told("snacbench.units", "no_such_name") == "a bug of ours"
    assert missing_package(CodecError("refused")) is None
    put(site, "fake_good", _LAZY + "    raise OSError('the disk is full')\n")
    assert told("fake_good", "x") == "a bug of ours"
    assert fault_of("fake_good") is None

    def native(name):  # a package that raises without a line of Python
        raise OSError("undefined symbol")

    monkeypatch.setattr(importlib, "import_module", native)
    sentence = str(fault_of("fake_native"))
    assert "package fake_native does not load (OSError: undefined symbol)" in sentence
