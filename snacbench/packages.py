"""Packages of others: what is not installed here, or does not load, in words."""

import functools
import importlib
import importlib.util
import sys
import traceback
import warnings
from collections.abc import Iterable, Mapping
from importlib import metadata
from types import FrameType

from snacbench.errors import MissingPackage, SnacbenchError

# Packages that only an extra brings, and its name.
EXTRAS = {
    "transformers": "transformers",
    **dict.fromkeys(("whisper_normalizer", "pocketsphinx", "faster_whisper"), "asr"),
    "parselmouth": "speech",
    "speechmos": "dnsmos",
    "onnxruntime": "dnsmos",
    "webrtcvad": "speaker",
    "distributed": "cluster",
    "dask_jobqueue": "cluster",
}


def is_installed(package: str) -> bool:
    """Whether there is such a package to import, be it broken."""
    return importlib.util.find_spec(package) is not None


def not_installed(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """A sentence on each package that codecs or metrics by these names need, and is not here."""
    wanted = {package: name for name, packages in needs.items() for package in packages}
    sentences = []
    for package, name in wanted.items():
        if not is_installed(package):
            extra = ""
            if package in EXTRAS:
                extra = f"run pip install '.[{EXTRAS[package]}]' in snacbench's checkout; "
            sentences.append(
                f"{name} needs the Python package {package!r}, which is not installed; "
                f"{extra}'snacbench check' lists what is missing"
            )
    return sentences


def check_installed(needs: Mapping[str, Iterable[str]]) -> None:
    """Raise `MissingPackage` if one of the packages that these names need is not here."""
    if sentences := not_installed(needs):
        raise MissingPackage(sentences[0])


@functools.cache
def fault_of(package: str) -> MissingPackage | None:
    """What keeps a package from being imported, which is tried; None if nothing does."""
    try:
        with warnings.catch_warnings(action="ignore"):  # what it thinks of other packages
            importlib.import_module(package)
    except Exception as error:  # noqa: BLE001 - a package may raise anything while it loads
        return missing_package(error) or _described(package, "", error)
    return None


def missing_package(error: Exception) -> MissingPackage | None:
    """What an exception says of the package that raised it at its import; None if none did."""
    if isinstance(error, SnacbenchError):
        return None
    root: BaseException = error
    while root.__cause__ is not None:  # packages that import lazily raise another exception of it
        root = root.__cause__
    frames = [frame for frame, _ in traceback.walk_tb(root.__traceback__)]
    importing = [p for frame in frames if frame.f_code.co_name == "<module>" and (p := _of(frame))]
    if isinstance(root, ImportError):
        inside = [_top(root.name or ""), *importing[-1:], *filter(None, map(_of, frames[-1:]))]
        package = next(filter(None, inside), "")
    else:
        package = importing[-1] if importing else ""
    return _described(package, importing[0] if importing else "", root) if package else None


def _described(package: str, importer: str, error: BaseException) -> MissingPackage:
    names = metadata.packages_distributions().get(package, [package])
    try:
        found = f"{names[0]} {metadata.version(names[0])}"
    except metadata.PackageNotFoundError:
        found = names[0]
    needed = f", which {importer} imports," if importer not in ("", package) else ""
    lines = filter(None, map(str.strip, str(error).splitlines()))
    reason = f"{type(error).__name__}: {next(lines, '')}".removesuffix(": ")
    what = "'.[" + EXTRAS[package] + "]'" if package in EXTRAS else "."
    gone = isinstance(error, ModuleNotFoundError) and error.name == package
    state = "is not installed" if gone else f"does not load ({reason[:200]})"
    return MissingPackage(
        f"the Python package {found}{needed} {state}; 'pip install -c constraints.txt {what}' in "
        "snacbench's checkout brings versions that work together, and 'snacbench check' lists all "
        "that does not load"
    )


def _of(frame: FrameType) -> str:
    """The package of others that a frame belongs to; empty if it is Python's or ours."""
    return _top(str(frame.f_globals.get("__name__", "")))


def _top(module: str) -> str:
    name = module.partition(".")[0]
    return "" if name in ("snacbench", "__main__") or name in sys.stdlib_module_names else name
