-- Runs that are RUNNING for longer than they may take: they were cut off.
--
-- Guarantees: CRITICAL; no row while every run ends or is younger than the limit of scheduled_jobs. The next run of the job
--             closes such a row.
-- Cost:       90 days of etl_job_runs, a few rows per day.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.stuck_runs`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  job_name STRING,
  arguments STRING,
  problems INT64
>
OPTIONS (description = 'Runs that are RUNNING for longer than they may take.')
AS
SELECT
  run.job_name AS subject,
  'CRITICAL' AS status,
  FORMAT(
    'is RUNNING since %s, %d minutes (run %s)',
    FORMAT_TIMESTAMP('%F %R', run.job_start_time, 'America/Los_Angeles'),
    TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), run.job_start_time, MINUTE),
    run.job_id
  ) AS details,
  run.job_name,
  `of-scheduler-proj.eros_scheduling_brain.call_arguments`(
    run.job_name,
    run.execution_date,
    run.job_start_time
  ) AS arguments,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.scheduled_jobs`() AS job
  ON run.job_name = job.job_name
WHERE run.job_status = 'RUNNING'
  AND run.job_name != 'check_health'
  AND run.job_start_time
    < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL COALESCE(job.longest_minutes, 30) MINUTE)
ORDER BY run.job_start_time
LIMIT 50;
