-- Scheduled jobs whose newest run took longer than it may.
--
-- Guarantees: WARNING; no row once a later run stayed within the limit of scheduled_jobs.
-- Cost:       7 days of etl_job_runs.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.slow_runs`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  job_name STRING,
  problems INT64
>
OPTIONS (description = 'Scheduled jobs whose newest run took longer than it may.')
AS
WITH
  newest_runs AS (
    SELECT run.job_name, run.job_id, run.job_start_time, run.job_duration_seconds
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    WHERE run.job_start_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
      AND run.job_status NOT IN ('RUNNING', 'SKIPPED')
    QUALIFY ROW_NUMBER() OVER (PARTITION BY run.job_name ORDER BY run.job_start_time DESC) = 1
  )
SELECT
  newest.job_name AS subject,
  'WARNING' AS status,
  FORMAT(
    'the run of %s took %.0f seconds, more than %d minutes (run %s)',
    FORMAT_TIMESTAMP('%F %R', newest.job_start_time, 'America/Los_Angeles'),
    newest.job_duration_seconds,
    job.longest_minutes,
    newest.job_id
  ) AS details,
  newest.job_name,
  COUNT(*) OVER () AS problems
FROM newest_runs AS newest
JOIN `of-scheduler-proj.eros_scheduling_brain.scheduled_jobs`() AS job
  ON newest.job_name = job.job_name
WHERE newest.job_duration_seconds > 60 * job.longest_minutes
ORDER BY newest.job_duration_seconds DESC
LIMIT 50;
