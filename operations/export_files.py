"""The files of an export: CSV and JSON for programs, a workbook for people and Google Sheets."""

from __future__ import annotations

import csv
import errno
import json
import math
import re
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from catalog.zone import LOS_ANGELES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

type Row = Mapping[str, Any]

#: The most characters of a cell in a workbook.
LONGEST_CELL = 32_767
#: What XML, and so a workbook, cannot hold.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class FileKind(StrEnum):
    """What kind of file is written; the export log has the same names in capitals."""

    CSV = "csv"
    JSON = "json"
    SHEETS = "sheets"


def _write_csv(file: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            values = (_plain(row[name]) for name in columns)
            writer.writerow(str(value).lower() if isinstance(value, bool) else value for value in values)


def _write_json(file: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    content = [{name: _plain(row[name]) for name in columns} for row in rows]
    file.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _write_workbook(file: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    from openpyxl import Workbook  # noqa: PLC0415 - takes 0.15 s
    from openpyxl.styles import Font  # noqa: PLC0415 - the same

    book = Workbook()
    sheet = book.active
    sheet.title = "messages"
    sheet.freeze_panes = "A2"
    lines = [columns, *([_plain(row[name]) for name in columns] for row in rows)]
    for number, line in enumerate(lines, 1):
        for column, value in enumerate(line, 1):
            cell = sheet.cell(number, column)
            if isinstance(value, str):
                cell.value = _cell_text(value)
                cell.data_type = "s"  # `=1+1` stays a text: it would be a formula
            else:
                cell.value = value
            if number == 1:
                cell.font = Font(bold=True)
    content = BytesIO()  # a file that cannot be written would leave openpyxl's archive open, which complains later
    book.save(content)
    file.write_bytes(content.getvalue())


def _cell_text(text: str) -> str:
    if len(text) > LONGEST_CELL:
        raise OSError(errno.EFBIG, f"a text has more than {LONGEST_CELL:,} characters: export it --as csv")
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


#: How each kind of file is written, and how its name ends.
WRITERS: dict[FileKind, Callable[[Path, Sequence[str], Sequence[Row]], None]] = {
    FileKind.CSV: _write_csv,
    FileKind.JSON: _write_json,
    FileKind.SHEETS: _write_workbook,
}
SUFFIXES = {FileKind.CSV: ".csv", FileKind.JSON: ".json", FileKind.SHEETS: ".xlsx"}


def write_rows(file: Path, kind: FileKind, columns: Sequence[str], rows: Sequence[Row], overwrite: bool) -> None:
    """Write rows to a file, whole or not at all; only its owner may read it, since it has people's texts.

    Args:
        file: the file.
        kind: what kind of file.
        columns: the names of the columns, in their order.
        rows: values by column; an instant is written as the time in Los Angeles with its offset from UTC.
        overwrite: replace a file that exists.

    Raises:
        OSError: it cannot be written; FileExistsError: it exists and may not be replaced.
    """
    if not overwrite:
        file.touch(0o600, exist_ok=False)  # nobody else makes a file of this name meanwhile
    try:
        with _replaced(file) as new:
            WRITERS[kind](new, columns, rows)
    except BaseException:
        if not overwrite:
            file.unlink(missing_ok=True)
        raise


@contextmanager
def _replaced(file: Path) -> Iterator[Path]:
    """A new file next to ``file`` that takes its place when the context ends without an exception."""
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as stream:
        new = Path(stream.name)
    try:
        yield new
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    """A value as all kinds of files have it."""
    if isinstance(value, datetime):
        return value.astimezone(LOS_ANGELES).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
