"""SQL files to spoil, each the only one of a folder ``sql/``, and the folders with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.model import DATASET, PROJECT

if TYPE_CHECKING:
    from pathlib import Path

NAME = "kept"
OBJECT = f"`{PROJECT}.{DATASET}.{NAME}`"
TABLE = f"""-- Kept.
--
-- Guarantees: rows never expire.
CREATE TABLE IF NOT EXISTS {OBJECT} (id INT64 OPTIONS (description = 'Id.')) OPTIONS (
  description = 'Kept.', labels = [('system', 'eros'), ('component', 'test'), ('retention', 'none')]
);
"""
PARTITIONED = f"""-- Kept.
--
-- Guarantees: rows expire after 90 days.
CREATE TABLE IF NOT EXISTS {OBJECT} (day DATE OPTIONS (description = 'Day.'))
PARTITION BY day
OPTIONS (
  partition_expiration_days = 90,
  description = 'Kept.', labels = [('system', 'eros'), ('component', 'test'), ('retention', '90d')]
);
"""
FUNCTION = f"""-- Kept.
CREATE OR REPLACE FUNCTION {OBJECT}(p_n INT64) RETURNS INT64 OPTIONS (description = 'Kept.') AS (p_n + 1);
"""
TABLE_FUNCTION = f"""-- Kept.
CREATE OR REPLACE TABLE FUNCTION {OBJECT}(p_n INT64) RETURNS TABLE<id INT64> OPTIONS (description = 'Kept.') AS
SELECT p_n AS id;
"""
PROCEDURE = f"""-- Kept.
CREATE OR REPLACE PROCEDURE {OBJECT}(p_n INT64) OPTIONS (description = 'Kept.')
BEGIN
  DECLARE v_n INT64 DEFAULT p_n;
  SELECT v_n AS n;
END;
"""
VIEW = f"""-- Kept.
CREATE OR REPLACE VIEW {OBJECT} (id OPTIONS (description = 'Id.')) OPTIONS (
  description = 'Kept.', labels = [('system', 'eros'), ('component', 'test'), ('retention', 'none')]
) AS SELECT 1 AS id;
"""
SCHEDULE = """-- Kept.
IF EXTRACT(HOUR FROM @run_time AT TIME ZONE 'America/Los_Angeles') IN (3) THEN
  SELECT @run_time AS run_at;
END IF;
"""
#: A file per folder of sql/, without findings.
TEXTS = {
    "tables": TABLE,
    "functions": FUNCTION,
    "table_functions": TABLE_FUNCTION,
    "procedures": PROCEDURE,
    "views": VIEW,
    "schedules": SCHEDULE,
}


def folder_of(place: Path, folder: str, content: str | bytes, name: str = NAME) -> Path:
    """A folder sql/ with one file.

    Args:
        place: where to make it.
        folder: the file's folder in it.
        content: the file's.
        name: the file's, without ending.
    """
    sql = place / "sql"
    (sql / folder).mkdir(parents=True)
    data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    (sql / folder / f"{name}.sql").write_bytes(data)
    return sql
