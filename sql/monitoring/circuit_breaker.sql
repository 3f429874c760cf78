-- Days of the last week whose daily run the circuit breaker stopped, with the creators that failed in a row.
--
-- Guarantees: no rows for a day that a later run has finished.
-- Cost:       7 days of etl_job_runs and of creator_processing_errors.
WITH stopped_runs AS (
  SELECT run.job_id, run.execution_date, run.job_start_time
  FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
  WHERE run.job_name = 'run_daily_automation'
    AND run.job_status = 'FAILED'
    AND run.job_start_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
    AND STARTS_WITH(run.error_message, 'Circuit breaker triggered')
),
finished_days AS (
  SELECT run.execution_date, MAX(run.job_start_time) AS finished_at
  FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
  WHERE run.job_name = 'run_daily_automation'
    AND run.job_status IN ('SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK')
    AND run.job_start_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
  GROUP BY run.execution_date
)
SELECT stopped.execution_date, stopped.job_id, failure.page_name, failure.error_message, failure.error_time
FROM stopped_runs AS stopped
LEFT JOIN finished_days AS finished
  ON finished.execution_date = stopped.execution_date AND finished.finished_at > stopped.job_start_time
LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.creator_processing_errors` AS failure
  ON failure.job_id = stopped.job_id
  AND failure.error_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
WHERE finished.execution_date IS NULL
ORDER BY stopped.execution_date DESC, failure.error_time DESC
LIMIT 100;
