-- The newest ended run of each job in the last 7 days; of the daily run, the newest of each day.
--
-- Guarantees: runs that were skipped or still run do not count, nor those of check_health. subject names the job, and the day
--             of a daily run; arguments are those of the CALL that does its work again.
-- Cost:       7 days of etl_job_runs.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.newest_runs`()
RETURNS TABLE<
  subject STRING,
  job_name STRING,
  arguments STRING,
  job_id STRING,
  job_start_time TIMESTAMP,
  job_status STRING,
  error_message STRING
>
OPTIONS (description = 'The newest ended run of each job, and of each day of the daily run.')
AS
WITH
  recent_runs AS (
    SELECT
      run.job_name,
      run.job_id,
      run.execution_date,
      run.job_start_time,
      run.job_status,
      run.error_message,
      IF(run.job_name = 'run_daily_automation', run.execution_date, NULL) AS own_day
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    WHERE run.job_name != 'check_health'
      AND run.job_start_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
      AND run.job_status IN ('SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK', 'FAILED')
  )
SELECT
  RTRIM(FORMAT('%s %s', recent.job_name, COALESCE(CAST(recent.own_day AS STRING), ''))) AS subject,
  recent.job_name,
  `of-scheduler-proj.eros_scheduling_brain.call_arguments`(
    recent.job_name,
    recent.execution_date,
    recent.job_start_time
  ) AS arguments,
  recent.job_id,
  recent.job_start_time,
  recent.job_status,
  recent.error_message
FROM recent_runs AS recent
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY recent.job_name, recent.own_day ORDER BY recent.job_start_time DESC) = 1;

-- Tests
ASSERT (
  SELECT COUNT(*) = COUNT(DISTINCT subject) FROM `of-scheduler-proj.eros_scheduling_brain.newest_runs`()
) AS 'each job and day once';
