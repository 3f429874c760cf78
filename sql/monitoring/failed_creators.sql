-- Creators that failed in the newest day that was run, with the error.
--
-- Guarantees: CRITICAL; WARNING for SYSTEM_CLEANUP, the sweep at the end of the day. No row for a creator that a later run
--             for the same day did without an error.
-- Cost:       7 days of etl_job_runs and of creator_processing_errors.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.failed_creators`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  page_name STRING,
  execution_date DATE,
  problems INT64
>
OPTIONS (description = 'Creators that failed in the newest day that was run.')
AS
WITH
  finished_runs AS (
    SELECT run.job_id, run.execution_date, run.job_start_time
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    WHERE run.job_name = 'run_daily_automation'
      AND run.job_start_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
      AND run.job_status IN ('SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK')
  ),
  newest_failures AS (
    SELECT failure.page_name, failure.execution_date, failure.error_message, failure.error_time
    FROM `of-scheduler-proj.eros_scheduling_brain.creator_processing_errors` AS failure
    WHERE failure.error_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
    QUALIFY
      ROW_NUMBER() OVER (PARTITION BY failure.page_name, failure.execution_date ORDER BY failure.error_time DESC) = 1
  ),
  newest_day AS (
    SELECT MAX(known.execution_date) AS execution_date
    FROM (
      SELECT finished.execution_date
      FROM finished_runs AS finished
      UNION ALL
      SELECT failure.execution_date
      FROM newest_failures AS failure
    ) AS known
    -- somebody may have run a day to come
    WHERE known.execution_date <= CURRENT_DATE('America/Los_Angeles')
  ),
  done_later AS (
    SELECT failure.page_name, failure.execution_date
    FROM newest_failures AS failure
    JOIN finished_runs AS finished
      ON finished.execution_date = failure.execution_date AND finished.job_start_time > failure.error_time
    GROUP BY failure.page_name, failure.execution_date
  )
SELECT
  failure.page_name AS subject,
  IF(failure.page_name = 'SYSTEM_CLEANUP', 'WARNING', 'CRITICAL') AS status,
  FORMAT('failed for %t: %s', failure.execution_date, COALESCE(failure.error_message, 'no message')) AS details,
  failure.page_name,
  failure.execution_date,
  COUNT(*) OVER () AS problems
FROM newest_failures AS failure
JOIN newest_day AS newest
  ON failure.execution_date = newest.execution_date
LEFT JOIN done_later AS done
  ON failure.page_name = done.page_name AND failure.execution_date = done.execution_date
WHERE done.page_name IS NULL
ORDER BY IF(failure.page_name = 'SYSTEM_CLEANUP', 2, 1), failure.page_name
LIMIT 50;
