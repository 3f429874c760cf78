"""``python -m tests.attacks.adopting`` reads what EROS_ADOPT names, as the synthesis does, without starting jsii."""

from __future__ import annotations

import sys

from declared.environment import EnvironmentFileError
from declared.imports import adoption_file
from declared.names import stack_names

if __name__ == "__main__":
    try:
        adoption_file(stack_names("prod"))
    except EnvironmentFileError as error:
        print(error, file=sys.stderr)  # noqa: T201 - as main.py does
        sys.exit(2)
