#!/bin/sh
# Audit the workflows with zizmor, installed on first use: values in commands, rights, unpinned actions, caches. It asks
# nothing of the network. Without the package, say so and fail: nobody runs this by chance.
set -eu
cd "$(dirname "$0")/.."
version=1.32.0
auditor=.venv/bin/zizmor

if [ "$("$auditor" --version 2>/dev/null)" != "zizmor $version" ]; then
    echo "Installing zizmor $version …"
    if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check "zizmor==$version"; then
        echo "The workflows were not audited: pip could not install zizmor $version." >&2
        exit 2
    fi
fi
exec "$auditor" --offline --no-progress --quiet .github/workflows
