-- Scheduled jobs whose last work is older than their cadence: silent, paused, or failing.
--
-- Guarantees: CRITICAL; a run that failed or was skipped is not work, and neither is a transfer run that ended at the guard
--             of its query. A job that never worked is judged from the first run of any job.
-- Cost:       90 days of etl_job_runs, a few rows per hour.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.schedules_without_work`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  job_name STRING,
  problems INT64
>
OPTIONS (description = 'Scheduled jobs whose last work is older than their cadence.')
AS
WITH
  runs AS (
    SELECT run.job_name, run.job_start_time, run.job_status, run.execution_date
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
  ),
  last_works AS (
    SELECT run.job_name, MAX(run.job_start_time) AS worked_at
    FROM runs AS run
    WHERE run.job_status IN ('SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK')
      -- an old day that somebody ran again is not the day's work
      AND (
        run.job_name != 'run_daily_automation'
        OR run.execution_date >= DATE(run.job_start_time, 'America/Los_Angeles')
      )
    GROUP BY run.job_name
  ),
  first_run AS (
    SELECT MIN(run.job_start_time) AS began_at
    FROM runs AS run
  )
SELECT
  job.job_name AS subject,
  'CRITICAL' AS status,
  FORMAT(
    'has done no work for more than %d hours; %s',
    job.longest_gap_hours,
    COALESCE(
      FORMAT_TIMESTAMP('the last was at %F %R', work.worked_at, 'America/Los_Angeles'),
      'there is no earlier work'
    )
  ) AS details,
  job.job_name,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.scheduled_jobs`() AS job
CROSS JOIN first_run
LEFT JOIN last_works AS work
  ON work.job_name = job.job_name
WHERE COALESCE(work.worked_at, first_run.began_at)
  < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL job.longest_gap_hours HOUR)
ORDER BY job.job_name
LIMIT 50;
