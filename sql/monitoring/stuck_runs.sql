-- Runs that are RUNNING for longer than they may take: they were cut off.
--
-- Guarantees: no rows while every run ends or is younger than its limit; the next run of the job closes such a row.
-- Cost:       90 days of etl_job_runs, a few rows per day.
SELECT
  run.job_name,
  run.job_id,
  run.execution_date,
  run.job_start_time,
  TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), run.job_start_time, MINUTE) AS minutes
FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
WHERE run.job_status = 'RUNNING'
  AND run.job_start_time < TIMESTAMP_SUB(
    CURRENT_TIMESTAMP(),
    INTERVAL IF(run.job_name = 'run_daily_automation', 30, 10) MINUTE
  )
ORDER BY run.job_start_time
LIMIT 100;
