-- Runs of the last 7 days that failed, without a later success of the same job.
--
-- Guarantees: after a failed daily run only a success for the same day counts; after any other run, the next success.
-- Cost:       7 days of etl_job_runs.
WITH recent_runs AS (
  SELECT
    run.job_name,
    run.job_id,
    run.execution_date,
    run.job_start_time,
    run.job_status,
    run.error_message,
    IF(run.job_name = 'run_daily_automation', run.execution_date, NULL) AS own_day
  FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
  WHERE run.job_start_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
    AND run.job_status IN ('SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK', 'FAILED')
),
newest_of_each_job AS (
  SELECT recent.job_name, recent.job_id, recent.execution_date, recent.job_start_time, recent.job_status, recent.error_message
  FROM recent_runs AS recent
  WHERE TRUE
  QUALIFY ROW_NUMBER() OVER (PARTITION BY recent.job_name, recent.own_day ORDER BY recent.job_start_time DESC) = 1
)
SELECT newest.job_name, newest.job_id, newest.execution_date, newest.job_start_time, newest.error_message
FROM newest_of_each_job AS newest
WHERE newest.job_status = 'FAILED'
ORDER BY newest.job_start_time DESC
LIMIT 100;
