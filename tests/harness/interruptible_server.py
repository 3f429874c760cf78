"""The embedded server, with scripts that can end at each point where a kill would leave a different state.

These points are after each statement that changes what is committed, and after the first change of each transaction:
nothing of that transaction may remain. No handler of the script runs and no open transaction commits. The number is in
the file that CUT_OFF_FILE names.

The data folder is maintained only once: tests move the clock all the time, and after each move a round would be due.
"""

from __future__ import annotations

import functools
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local import engine
from local.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable

CUT_OFF_FILE = "CUT_OFF_FILE"
MESSAGE = "cut off here"
WRITES = {"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "CREATE", "DROP", "COMMIT"}


def end_after_some_changes() -> None:
    """Wrap the interpreter once the differences to BigQuery are closed."""
    from local_bigquery.sql import script  # noqa: PLC0415 - reads its settings when it is imported

    class CutOffError(script.Control):  # type: ignore[misc,name-defined,unused-ignore]
        """Passes through every handler, as the end of a process would."""

    def counted(original: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(original)
        def sql(interpreter: Any, statement: Any) -> None:
            before = interpreter.context.system.get("uncommitted", 0)
            original(interpreter, statement)
            writes = statement.text.split(maxsplit=1)[0].upper() in WRITES
            uncommitted = before + writes if interpreter.cursor.in_transaction else 0
            interpreter.context.system["uncommitted"] = uncommitted
            if not writes or uncommitted > 1:
                return
            file = Path(os.environ[CUT_OFF_FILE])
            left = int(file.read_text()) if file.exists() else 0
            if left:
                file.write_text(str(left - 1))
                if left == 1:
                    raise CutOffError(MESSAGE)

        return sql

    script.Interpreter.sql = counted(script.Interpreter.sql)


def main() -> None:
    """Serve as `python -m local serve` does."""
    close_differences = engine.close_differences

    def close_and_wrap() -> None:
        close_differences()
        from local.engine import maintenance  # noqa: PLC0415 - as above

        maintenance.EVERY = timedelta(days=36_500)
        end_after_some_changes()

    engine.close_differences = close_and_wrap
    app()


if __name__ == "__main__":
    main()
