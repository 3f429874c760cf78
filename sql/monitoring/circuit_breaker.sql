-- Days of the last week whose daily run the circuit breaker stopped, with the creators that failed in a row.
--
-- Guarantees: CRITICAL; no row for a day that a later run has finished.
-- Cost:       7 days of etl_job_runs and of creator_processing_errors.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.circuit_breaker`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  execution_date DATE,
  problems INT64
>
OPTIONS (description = 'Days that are unfinished because the circuit breaker stopped their run.')
AS
WITH
  daily_runs AS (
    SELECT run.job_id, run.execution_date, run.job_start_time, run.job_status, run.error_message
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    WHERE run.job_name = 'run_daily_automation'
      AND run.job_start_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
      AND run.job_status NOT IN ('RUNNING', 'SKIPPED')
  ),
  newest_of_each_day AS (
    SELECT daily.job_id, daily.execution_date, daily.job_start_time, daily.job_status, daily.error_message
    FROM daily_runs AS daily
    WHERE TRUE
    QUALIFY ROW_NUMBER() OVER (PARTITION BY daily.execution_date ORDER BY daily.job_start_time DESC) = 1
  ),
  errors_of_each_run AS (
    SELECT
      failure.job_id,
      STRING_AGG(CONCAT(failure.page_name, ': ', COALESCE(failure.error_message, 'no message')), '; ' LIMIT 5) AS errors
    FROM `of-scheduler-proj.eros_scheduling_brain.creator_processing_errors` AS failure
    WHERE failure.error_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
    GROUP BY failure.job_id
  )
SELECT
  FORMAT('run_daily_automation %t', stopped.execution_date) AS subject,
  'CRITICAL' AS status,
  FORMAT(
    'stopped at %s, so creators later in the order of names were not reached; %s',
    FORMAT_TIMESTAMP('%F %R', stopped.job_start_time, 'America/Los_Angeles'),
    COALESCE(failed.errors, 'no errors of creators are recorded')
  ) AS details,
  stopped.execution_date,
  COUNT(*) OVER () AS problems
FROM newest_of_each_day AS stopped
LEFT JOIN errors_of_each_run AS failed
  ON stopped.job_id = failed.job_id
WHERE stopped.job_status = 'FAILED' AND STARTS_WITH(stopped.error_message, 'Circuit breaker triggered')
ORDER BY stopped.execution_date DESC
LIMIT 50;
