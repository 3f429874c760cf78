"""The embedded environment's command line: ``python -m local up|down|status|env|seed|serve``."""

from __future__ import annotations

import sys

if sys.argv[1:] == ["env"]:
    # every cdktf command runs this one first, so it avoids the imports that the others need
    from local.terraform_variables import print_variables

    sys.exit(print_variables())

from local.cli import main

main()
