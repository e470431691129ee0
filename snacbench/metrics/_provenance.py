"""What computed a score: versions of installed packages, read without importing them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version


def versions_of(*packages: str, **facts: str) -> Callable[[], Mapping[str, str]]:
    """Return a function that looks up the versions of `packages` and adds `facts` to them."""

    def versions() -> Mapping[str, str]:
        return {package: _version(package) for package in packages} | facts

    return versions


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
