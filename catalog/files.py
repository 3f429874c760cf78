"""Reads the SQL files of a folder."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from catalog.findings import CatalogError, Finding

#: The folder of this checkout.
REPOSITORY = Path(__file__).resolve().parent.parent
SQL = REPOSITORY / "sql"
FOLDERS = ("dependencies", "tables", "functions", "table_functions", "views", "procedures", "schedules", "monitoring")
#: Bytes of a file, several times the largest one: the analyzer's time grows with their square, to about 10 s.
LARGEST = 32_768
#: A file has the name of its object; 256 characters is the limit for a routine.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")


def read_files(sql: Path) -> list[tuple[Path, str]]:
    """Path (as findings show it) and text of every SQL file, in the order of ``FOLDERS``.

    Raises:
        CatalogError: there is no file, a file is in an unknown folder, or a file cannot be read as SQL.
    """
    root = sql.resolve()
    paths = [path for folder in FOLDERS for path in sorted((root / folder).glob("*.sql"))]
    findings = [
        Finding(path.relative_to(root.parent), 1, 1, "folder", f"SQL files belong in {', '.join(FOLDERS)}")
        for path in sorted(root.glob("**/*.sql"))
        if path not in paths
    ]
    files = []
    for path in paths:
        shown = path.relative_to(root.parent)
        try:
            files.append((shown, _text(path, root)))
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            findings.append(Finding(shown, 1, 1, "unreadable", said or type(error).__name__))
    if not files and not findings:
        findings.append(Finding(Path(root.name), 1, 1, "folder", f"no SQL file found in {root.name}/"))
    if findings:
        raise CatalogError(findings)
    return files


def read_regular(path: Path, largest: int) -> bytes:
    """The content of a file that others wrote; reading a pipe, a device or a huge file would not end.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, or has more than ``largest`` bytes.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("not a file")
    with path.open("rb") as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise ValueError(f"larger than {largest} bytes")
    return data


def _text(path: Path, root: Path) -> str:
    """The text of a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no SQL file; the message says what to do.
    """
    if not NAME.fullmatch(path.stem):
        raise ValueError("a file has its object's name: ASCII letters, digits and underscores, no digit first")
    if not path.resolve().is_relative_to(root):
        raise ValueError(f"a link to a file outside of {root.name}/: replace it by the file")
    if path.is_symlink() and not path.exists():
        raise ValueError("a link to a file that does not exist: replace it by the file")
    data = read_regular(path, LARGEST)
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        raise ValueError("begins with a byte order mark: save it as UTF-8 without one")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"not UTF-8: byte 0x{data[error.start]:02x} in line {line}: save it as UTF-8") from None
    if "\0" in text:
        raise ValueError(f"a NUL character in line {text.count('\n', 0, text.index('\0')) + 1}: remove it")
    return text
