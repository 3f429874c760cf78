-- Runs of the last 7 days that failed, without a later success of the same job.
--
-- Guarantees: CRITICAL; after a failed daily run only a success for the same day counts; after any other run, the next
--             success.
-- Cost:       7 days of etl_job_runs.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.failed_runs`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  job_name STRING,
  arguments STRING,
  problems INT64
>
OPTIONS (description = 'Runs that failed, without a later success of the same job.')
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
  ),
  newest_of_each_job AS (
    SELECT
      recent.job_name,
      recent.job_id,
      recent.execution_date,
      recent.job_start_time,
      recent.job_status,
      recent.error_message,
      recent.own_day
    FROM recent_runs AS recent
    WHERE TRUE
    QUALIFY ROW_NUMBER() OVER (PARTITION BY recent.job_name, recent.own_day ORDER BY recent.job_start_time DESC) = 1
  )
SELECT
  RTRIM(FORMAT('%s %s', newest.job_name, COALESCE(CAST(newest.own_day AS STRING), ''))) AS subject,
  'CRITICAL' AS status,
  FORMAT(
    'failed at %s (run %s): %s',
    FORMAT_TIMESTAMP('%F %R', newest.job_start_time, 'America/Los_Angeles'),
    newest.job_id,
    COALESCE(newest.error_message, 'no message')
  ) AS details,
  newest.job_name,
  IF(
    newest.job_name = 'run_daily_automation',
    FORMAT("DATE '%t'", COALESCE(newest.execution_date, DATE(newest.job_start_time, 'America/Los_Angeles'))),
    ''
  ) AS arguments,
  COUNT(*) OVER () AS problems
FROM newest_of_each_job AS newest
WHERE newest.job_status = 'FAILED'
ORDER BY newest.job_start_time DESC
LIMIT 50;
