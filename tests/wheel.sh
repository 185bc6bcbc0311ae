#!/bin/sh
# Installs the wheel in dist/ into an empty environment in an empty folder and trains a cell there.
set -eu
wheel=$(ls "$PWD"/dist/*.whl)
constraints="$PWD/constraints.txt"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv empty
empty/bin/pip install --quiet --constraint "$constraints" "$wheel"
empty/bin/gatelab --version
empty/bin/gatelab cells f
empty/bin/gatelab train digits --cell f --steps 300
