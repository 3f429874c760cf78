#!/bin/sh
# Install cdktf's successor next to it, in .cache/cdktn. EROS_CDK=cdktn then uses it (docs/successor.md).
set -eu
cd "$(dirname "$0")/.."
folder=.cache/cdktn
PATH="$PWD/.venv/bin:$PATH" # Node and npm

echo "Installing cdktn into $folder …"
# The packages that these two need are in .venv.
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --upgrade --target "$folder/python" \
    cdktn==0.22.1 cdktn-provider-google==17.0.0
npm install --prefix "$folder" --no-audit --no-fund --loglevel=error cdktn-cli@0.24.0
