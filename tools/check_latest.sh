#!/usr/bin/env bash
# Whether snacbench installs and works with versions other than those of constraints.txt.
#
#   tools/check_latest.sh                   the newest that the ranges of pyproject.toml allow
#   tools/check_latest.sh --lowest          the oldest of every direct dependency
#   tools/check_latest.sh --constraints     those of constraints.txt
#   PYTHON=python3.13 tools/check_latest.sh with another interpreter
#
# Fresh environment, main job on a few clips, a short list of tests; at the end what differs from
# constraints.txt. An environment takes 7 GB under $TMPDIR until the end.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT

"${PYTHON:-python3}" -m venv "$folder/environment"
. "$folder/environment/bin/activate"
export PIP_DISABLE_PIP_VERSION_CHECK=1
case $mode in
"") pip install --quiet '.[test]' ;;
--constraints) PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt pip install --quiet '.[test]' ;;
--lowest)
    pip install --quiet uv
    # A package that comes as source builds with the tools of today.
    uv pip install --quiet --resolution lowest-direct '.[test]'
    ;;
*)
    echo "unknown option $mode: expected none, --lowest or --constraints" >&2
    exit 2
    ;;
esac

# Away from the checkout: what was installed is what runs.
(cd "$folder" && snacbench run --codecs snac,dac@3q,encodec@3,opus@14 --weights embedded --limit 2 -o run)
python -m pytest -q -p no:cacheprovider tests/test_imports.py tests/test_plugins.py \
    tests/codecs/test_package_codecs.py tests/metrics/test_signal_metrics.py \
    tests/metrics/test_speech_metrics.py tests/stats/test_intervals.py \
    tests/listening/test_serving.py

python --version
python - <<'END'
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

lines = Path("constraints.txt").read_text("utf-8").splitlines()
wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
pinned = {
    canonicalize_name(r.name): str(r.specifier).removeprefix("==")
    for r in wanted
    if r.marker is None or r.marker.evaluate()
}
installed = {canonicalize_name(d.name): d.version for d in metadata.distributions()}
differing = [
    f"  {name:<28} {pinned.get(name, 'not there'):<24} here {version}"
    for name, version in sorted(installed.items())
    if name not in ("pip", "uv", "snacbench") and pinned.get(name) != version
]
print(f"{len(differing)} of {len(installed)} packages differ from constraints.txt")
print("\n".join(differing))
END
