-- Runs of the last 7 days that ended with errors, without a later run of the same job that had none.
--
-- Guarantees: WARNING; after a daily run only a run for the same day counts.
-- Cost:       7 days of etl_job_runs.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.runs_with_errors`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  job_name STRING,
  arguments STRING,
  problems INT64
>
OPTIONS (description = 'Runs that ended with errors, without a later run that had none.')
AS
SELECT
  newest.subject,
  'WARNING' AS status,
  FORMAT(
    'ended with errors at %s (run %s): %s',
    FORMAT_TIMESTAMP('%F %R', newest.job_start_time, 'America/Los_Angeles'),
    newest.job_id,
    COALESCE(newest.error_message, 'no message')
  ) AS details,
  newest.job_name,
  newest.arguments,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.newest_runs`() AS newest
WHERE newest.job_status = 'COMPLETED_WITH_ERRORS'
ORDER BY newest.job_start_time DESC
LIMIT 50;
