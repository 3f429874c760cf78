"""The embedded environment's command line: ``python -m local up|down|status|env|seed|serve``."""

from __future__ import annotations

if __name__ == "__main__":
    from starting import end_early_with_a_sentence

    end_early_with_a_sentence()  # the imports below take their time

import sys

if sys.argv[1:] == ["env"]:
    # every cdktf command runs this one first, so it avoids the imports that the others need
    from local.terraform_variables import print_variables

    sys.exit(print_variables())

from local.cli import main

main()
