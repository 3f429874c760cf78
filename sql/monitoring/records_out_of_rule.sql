-- Invalid records of the automation: an unknown status or level, an end before its start, an end that is missing.
--
-- Cost: 90 days of etl_job_runs, automation_alerts, lock_sweep_log and schedule_generation_queue.
SELECT 'etl_job_runs' AS table_name, run.job_id AS record_id, run.job_status AS found
FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
WHERE run.job_status NOT IN ('RUNNING', 'SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK', 'SKIPPED', 'FAILED')
  OR (run.job_status != 'RUNNING' AND (run.job_end_time IS NULL OR run.job_end_time < run.job_start_time))
UNION ALL
SELECT 'automation_alerts' AS table_name, alert.alert_id AS record_id, alert.alert_level AS found
FROM `of-scheduler-proj.eros_scheduling_brain.automation_alerts` AS alert
WHERE alert.alert_level NOT IN ('INFO', 'WARNING', 'CRITICAL')
UNION ALL
SELECT 'lock_sweep_log' AS table_name, sweep.sweep_id AS record_id, CAST(sweep.total_locks_cleaned AS STRING) AS found
FROM `of-scheduler-proj.eros_scheduling_brain.lock_sweep_log` AS sweep
WHERE sweep.total_locks_cleaned != sweep.locks_expired_stale + sweep.locks_expired_past_date
UNION ALL
SELECT 'schedule_generation_queue' AS table_name, queue.page_name AS record_id, queue.status AS found
FROM `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
WHERE queue.status NOT IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')
ORDER BY table_name, record_id
LIMIT 100;
