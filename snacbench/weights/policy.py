"""What ``--weights`` asks for, where files may be, and the decision that ``auto`` takes."""

import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from snacbench.download import offline as offline_here
from snacbench.errors import UserError, WeightsUnavailable
from snacbench.models import HasWeights, HostedFile, WeightsSource
from snacbench.settings import cache_folder

Rule = Literal["auto", "published", "embedded"]
Base = Rule | Path

SHA256_DIGITS = 64
DECISION_SECONDS = 8.0  # leaves 2 s of the promised 10 for everything else
# Each address can be pointed elsewhere (a mirror, a test server) by an environment variable.
HOSTS = {
    "hub": ("HF_ENDPOINT", "https://huggingface.co"),
    "github": ("SNACBENCH_GITHUB_ENDPOINT", "https://github.com"),
    "cdn": ("SNACBENCH_ENCODEC_ENDPOINT", "https://dl.fbaipublicfiles.com"),
    "pytorch": ("SNACBENCH_PYTORCH_ENDPOINT", "https://download.pytorch.org"),
    "pypi": ("SNACBENCH_PYPI_ENDPOINT", "https://files.pythonhosted.org"),
}


@dataclass(frozen=True)
class WeightsPolicy:
    """Where weights come from: one rule for all models, and folders for single ones.

    If `offline`, nothing is asked of the network.
    """

    base: Base = "auto"
    folders: Mapping[str, Path] = field(default_factory=dict)
    offline: bool = False


def parse_policy(values: Sequence[str], *, offline: bool = False) -> WeightsPolicy:
    """Understand ``--weights`` values: ``auto``, ``published``, ``embedded``, DIR or MODEL=DIR.

    Raises `WeightsUnavailable` if there is no such folder, `UserError` if they contradict.
    """
    bases: list[Base] = []
    folders: dict[str, Path] = {}
    for value in values:
        if value in get_args(Rule):
            bases.append(cast(Rule, value))
            continue
        model, text = _parts(value)
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise WeightsUnavailable(
                f"--weights {text}: no such folder; expected auto, published, embedded, a folder "
                "of local copies, or MODEL=DIR"
            )
        if model:
            folders[model] = folder
        else:
            bases.append(folder)
    if len(bases) > 1:
        raise UserError(
            f"--weights takes one of auto, published, embedded or DIR, found {len(bases)}: "
            f"{', '.join(map(str, bases))}; a folder for one model is written MODEL=DIR"
        )
    return WeightsPolicy(bases[0] if bases else "auto", folders, offline)


def absolute_weights(values: Sequence[str]) -> tuple[str, ...]:
    """``--weights`` values with absolute folders: workers and later commands may lie elsewhere."""
    absolute = []
    for value in values:
        model, text = _parts(value)
        folder = Path(text).expanduser()
        is_folder = value not in get_args(Rule) and folder.is_dir()
        named = f"{model}={folder.absolute()}" if model else f"{folder.absolute()}"
        absolute.append(named if is_folder else value)
    return tuple(absolute)


def _parts(value: str) -> tuple[str, str]:
    """The model, or nothing, and the folder in ``MODEL=DIR`` or ``DIR``."""
    model, equals, folder = value.partition("=")
    return (model, folder) if equals and "/" not in model else ("", value)


@dataclass(frozen=True)
class Copy:
    """A file on this disk, unchecked; `sha256` is what a cache itself says it should be."""

    path: Path
    place: str
    commit: str = ""
    sha256: str = ""


def weights_folder() -> Path:
    """Where snacbench keeps what it fetches, one folder per model."""
    return cache_folder() / "weights"


def copies(model: HasWeights, file: HostedFile, policy: WeightsPolicy) -> list[Copy]:
    """Every copy of a file on this disk that a policy allows.

    Of what the user names a folder for, those in it; else ours first, then that of the cache of the
    model's package.
    """
    source = source_of(model)
    if not is_published(model):
        path = Path(file.url_path)
        return [Copy(path, "embedded" if source.host == "embedded" else str(path))]
    if folder := folder_for(model, policy):
        found = [Copy(path, str(path)) for path in places_in(folder, model, file)]
        return [copy for copy in found if copy.path.is_file()][:1]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    found = [Copy(weights_folder() / model.name / file.name, "snacbench cache")]
    if source.host == "hub":
        from huggingface_hub import constants  # all the rest of it takes 0.3 s to import

        # refs/<branch> holds a commit, snapshots/<commit>/<file> is a link to blobs/<digest>
        kept = Path(constants.HF_HUB_CACHE) / f"models--{source.repository.replace('/', '--')}"
        branch = kept / "refs" / source.revision
        commit = branch.read_text("utf-8") if branch.is_file() else source.revision
        path = kept / "snapshots" / commit / file.url_path
        blob = path.resolve().name
        found.append(Copy(path, "hub cache", commit, blob if len(blob) == SHA256_DIGITS else ""))
    else:
        hub = Path(os.environ.get("TORCH_HOME") or cache / "torch") / "hub"
        places = [hub / "checkpoints" / file.name]
        if source.host == "github":  # DAC ignores XDG_CACHE_HOME
            places.append(Path("~/.cache/descript/dac").expanduser() / file.name)
        elif source.host == "pytorch":
            places = [hub / file.url_path]
        found += [Copy(path, "package cache") for path in places]
    return [copy for copy in found if copy.path.is_file()]


def places_in(folder: Path, model: HasWeights, file: HostedFile) -> list[Path]:
    """Places in a folder where people keep a file: by repository, by our name, or flat."""
    named = source_of(model).repository.rpartition("/")[2]
    subfolders = dict.fromkeys((named, model.name, "."))
    return [folder / sub / name for sub in subfolders for name in (file.name, *file.aliases)]


def state_of(model: HasWeights, policy: WeightsPolicy) -> str:
    """One phrase for the plan: where a model's weights are, without downloading anything."""
    source = model.source
    if source is None or source.host == "embedded":
        return "embedded demonstration weights" if source else "no weights"
    if source.host == "own":
        return source.repository
    found = {file.name: copies(model, file, policy) for file in source.files}
    missing = [name for name, of_file in found.items() if not of_file]
    if folder := folder_for(model, policy):
        return f"missing {', '.join(missing)} in {folder}" if missing else f"{folder}"
    if missing:
        return "published, not cached"
    places = dict.fromkeys(of_file[0].place for of_file in found.values())
    return f"published, in the {' and the '.join(places)}"


def source_of(model: HasWeights) -> WeightsSource:
    """Where a model's weights are published, of one that has some."""
    assert model.source is not None, model.name
    return model.source


def is_published(model: HasWeights) -> bool:
    """Whether a model's weights lie on a host, rather than in this package or a user's own file."""
    return model.source is not None and model.source.host in HOSTS


def host_address(source: WeightsSource) -> str:
    """Base address of the host that publishes these weights."""
    variable, default = HOSTS[source.host]
    return (os.environ.get(variable) or default).rstrip("/")


def folder_for(model: HasWeights, policy: WeightsPolicy) -> Path | None:
    """The folder that the user names for a model, by option or environment; None if by neither."""
    if not is_published(model):
        return None
    if model.name in policy.folders:
        return policy.folders[model.name]
    variable = source_of(model).environment_variable
    if named := os.environ.get(variable) if variable else None:
        return Path(named).expanduser()
    return policy.base if isinstance(policy.base, Path) else None


def decide(
    policy: WeightsPolicy, published_models: Sequence[HasWeights]
) -> tuple[WeightsPolicy, str]:
    """Turn ``auto`` into ``published`` or ``embedded``, once for the whole run, and say why.

    Published weights are used if those of every model are on this disk, or their hosts answer
    within 8 s (offline, nobody is asked); else all families fall back together, so that no table
    mixes published with demonstration models. The sentence is empty if nothing was to decide.
    """
    if policy.base != "auto" or not published_models:
        return policy, ""
    lacking, offline = _lacking(published_models, policy), offline_here(policy.offline)
    if not lacking:
        return replace(policy, base="published"), "published weights, all in the local caches"
    silent = _silent_hosts(lacking.values(), offline=offline)
    if not silent:
        why = f"published weights; to be downloaded: {', '.join(lacking)}"
        return replace(policy, base="published"), why
    names = ", ".join(urlsplit(host).netloc for host in silent)
    why = "offline, nobody is asked" if offline else f"{names} cannot be reached"
    why = f"embedded demonstration models, because published weights are not cached and {why}"
    return replace(policy, base="embedded"), why


def absent(models: Sequence[HasWeights], policy: WeightsPolicy) -> Iterator[str]:
    """What cannot be had here and now, one sentence per silent host.

    The hosts of weights that are not on this disk are asked, for 8 s at most.
    """
    lacking, offline = _lacking(models, policy), offline_here(policy.offline)
    why = "nobody is asked offline" if offline else "it cannot be reached"
    for host in _silent_hosts(lacking.values(), offline=offline):
        names = [name for name, where in lacking.items() if where == host]
        yield (
            f"{', '.join(names)}: not on this disk, published at {urlsplit(host).netloc}, and "
            f"{why}. Run snacbench weights fetch {' '.join(names)} where there is a network, or "
            "name a folder by --weights MODEL=DIR"
        )


def _lacking(models: Sequence[HasWeights], policy: WeightsPolicy) -> dict[str, str]:
    """Published models that are in no folder and no cache, and the addresses of their hosts."""
    return {
        model.name: host_address(model.source)
        for model in models
        if model.source and is_published(model) and folder_for(model, policy) is None
        if not all(copies(model, file, policy) for file in model.source.files)
    }


def _silent_hosts(addresses: Iterable[str], *, offline: bool) -> list[str]:
    """Those of some hosts that answer no request within 8 s, all asked at once."""
    import requests

    wanted = sorted(set(addresses))
    answered: set[str] = set()

    def ask(address: str) -> None:
        try:
            requests.head(address, timeout=DECISION_SECONDS, allow_redirects=False)
        except (OSError, requests.RequestException):
            return
        answered.add(address)

    if not offline:
        # Daemon threads: a name lookup that hangs must delay neither the decision nor the exit.
        threads = [threading.Thread(target=ask, args=(a,), daemon=True) for a in wanted]
        deadline = time.monotonic() + DECISION_SECONDS
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    return [address for address in wanted if address not in answered]
