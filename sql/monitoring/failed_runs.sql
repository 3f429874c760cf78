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
SELECT
  newest.subject,
  'CRITICAL' AS status,
  FORMAT(
    'failed at %s (run %s): %s',
    FORMAT_TIMESTAMP('%F %R', newest.job_start_time, 'America/Los_Angeles'),
    newest.job_id,
    COALESCE(newest.error_message, 'no message')
  ) AS details,
  newest.job_name,
  newest.arguments,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.newest_runs`() AS newest
WHERE newest.job_status = 'FAILED'
ORDER BY newest.job_start_time DESC
LIMIT 50;
