-- Whether the queries that read this dataset were billed more bytes in the last 24 hours than a day may cost.
--
-- Guarantees: CRITICAL; the budget is daily_bytes_budget. Statements of scripts count, the scripts themselves do not.
-- Cost:       a day of the project's job history; the minimum of 10 MB.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.bytes_over_budget`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  problems INT64
>
OPTIONS (description = 'A day of queries that was billed more bytes than its budget.')
AS
WITH
  datasets AS (
    -- the names that this function is deployed under
    SELECT DISTINCT owned.table_catalog AS project_name, owned.table_schema AS dataset_name
    FROM `of-scheduler-proj.eros_scheduling_brain.INFORMATION_SCHEMA.TABLES` AS owned
  ),
  billed AS (
    SELECT job.user_email, SUM(job.total_bytes_billed) AS bytes
    FROM `of-scheduler-proj.region-us.INFORMATION_SCHEMA.JOBS` AS job
    CROSS JOIN datasets AS own
    WHERE job.creation_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 24 HOUR)
      -- what a script is billed is the sum of its statements, which are jobs themselves
      AND COALESCE(job.statement_type, '') NOT IN ('SCRIPT', 'CALL')
      AND EXISTS (
        SELECT referenced.table_id
        FROM UNNEST(job.referenced_tables) AS referenced
        WHERE referenced.project_id = own.project_name AND referenced.dataset_id = own.dataset_name
      )
    GROUP BY job.user_email
  ),
  total AS (
    SELECT
      SUM(account.bytes) AS bytes,
      ARRAY_AGG(STRUCT(account.user_email, account.bytes) ORDER BY account.bytes DESC LIMIT 1)[OFFSET(0)] AS greatest,
      `of-scheduler-proj.eros_scheduling_brain.daily_bytes_budget`() AS budget
    FROM billed AS account
  )
SELECT
  'bytes billed' AS subject,
  'CRITICAL' AS status,
  FORMAT(
    '%.1f GB in 24 hours, more than %.1f GB; most for %s, %.1f GB',
    SAFE_DIVIDE(day.bytes, POW(1024, 3)),
    SAFE_DIVIDE(day.budget, POW(1024, 3)),
    COALESCE(day.greatest.user_email, 'nobody'),
    SAFE_DIVIDE(day.greatest.bytes, POW(1024, 3))
  ) AS details,
  COUNT(*) OVER () AS problems
FROM total AS day
WHERE day.bytes > day.budget
LIMIT 50;
