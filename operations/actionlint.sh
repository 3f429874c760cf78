#!/bin/sh
# Lint the workflows with actionlint, which Go builds once. Without Go or its modules, say so and succeed: no other check
# depends on it.
set -eu
cd "$(dirname "$0")/.."
version=1.7.12
linter=.venv/bin/actionlint-$version

if [ ! -x "$linter" ]; then
    if ! command -v go >/dev/null; then
        echo "The workflows were not linted: Go builds actionlint, and no go is on the PATH."
        exit 0
    fi
    echo "Installing actionlint $version …"
    if ! said=$(GOBIN="$PWD/.venv/bin" go install "github.com/rhysd/actionlint/cmd/actionlint@v$version" 2>&1); then
        echo "The workflows were not linted: Go could not install actionlint $version: $(echo "$said" | tail -n 1)"
        exit 0
    fi
    mv .venv/bin/actionlint "$linter"
fi
exec "$linter" .github/workflows/*.yml
