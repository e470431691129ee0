#!/usr/bin/env bash
# Makes constraints.txt again: the newest versions that the ranges of pyproject.toml allow, for every
# Python they name, with markers where Pythons differ. Afterwards run .ci/run, which installs with it,
# and commit it only if that passes.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/uv"
"$folder/uv/bin/pip" install --quiet --disable-pip-version-check uv

# Packages that come as source (pesq, libsvm) are built with these.
printf 'setuptools\nwheel\ncython\npytest-runner\n' >"$folder/build.in"
# uv passes over upper bounds on Python: later ones want Python 3.10 or older, and pip refuses them.
echo 'backports-strenum<1.3' >"$folder/upper.in"
{
    echo "# Every package of an environment in which all tests passed. Made by tools/make_constraints.sh."
    "$folder/uv/bin/uv" pip compile pyproject.toml "$folder/build.in" --constraint "$folder/upper.in" \
        --extra test --universal --python-version 3.11 --upgrade --no-annotate --no-header --quiet
} >"$folder/constraints.txt"
mv "$folder/constraints.txt" constraints.txt
