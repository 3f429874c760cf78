"""Reads the SQL files of a folder."""

from __future__ import annotations

from pathlib import Path

from catalog.findings import CatalogError, Finding

#: The folder of this checkout.
REPOSITORY = Path(__file__).resolve().parent.parent
SQL = REPOSITORY / "sql"
FOLDERS = ("dependencies", "tables", "functions", "table_functions", "views", "procedures", "schedules", "monitoring")


def read_files(sql: Path) -> list[tuple[Path, str]]:
    """Path (as findings show it) and text of every SQL file, in the order of ``FOLDERS``.

    Raises:
        CatalogError: there is no file, a file is in an unknown folder, or a file is not UTF-8.
    """
    root = sql.resolve().parent
    paths = [path for folder in FOLDERS for path in sorted((sql / folder).glob("*.sql"))]
    findings = [
        Finding(path.resolve().relative_to(root), 1, 1, "folder", f"SQL files belong in {', '.join(FOLDERS)}")
        for path in sorted(sql.glob("**/*.sql"))
        if path not in paths
    ]
    files = []
    for path in paths:
        shown = path.resolve().relative_to(root)
        try:
            files.append((shown, path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            findings.append(Finding(shown, 1, 1, "unreadable", str(error)))
    if not files and not findings:
        findings.append(Finding(Path(sql.name), 1, 1, "folder", f"no SQL file found in {sql.name}/"))
    if findings:
        raise CatalogError(findings)
    return files
