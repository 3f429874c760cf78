-- Invalid records of the automation: an unknown status or level, an end before its start, an end that is missing.
--
-- Guarantees: WARNING.
-- Cost:       90 days of etl_job_runs, automation_alerts, lock_sweep_log and schedule_generation_queue.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.records_out_of_rule`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  table_name STRING,
  record_id STRING,
  found STRING,
  problems INT64
>
OPTIONS (description = 'Records of the automation with an unknown status or level, or without an end.')
AS
WITH
  invalid_records AS (
    SELECT 'etl_job_runs' AS table_name, run.job_id AS record_id, run.job_status AS found
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    WHERE run.job_name != 'check_health'
      AND (
        run.job_status NOT IN (
          'RUNNING', 'SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK', 'SKIPPED', 'FAILED'
        )
        OR (run.job_status != 'RUNNING' AND (run.job_end_time IS NULL OR run.job_end_time < run.job_start_time))
      )
    UNION ALL
    SELECT 'automation_alerts', alert.alert_id, alert.alert_level
    FROM `of-scheduler-proj.eros_scheduling_brain.automation_alerts` AS alert
    WHERE alert.alert_level NOT IN ('INFO', 'WARNING', 'CRITICAL')
    UNION ALL
    SELECT 'lock_sweep_log', sweep.sweep_id, CAST(sweep.total_locks_cleaned AS STRING)
    FROM `of-scheduler-proj.eros_scheduling_brain.lock_sweep_log` AS sweep
    WHERE sweep.total_locks_cleaned != sweep.locks_expired_stale + sweep.locks_expired_past_date
    UNION ALL
    SELECT 'schedule_generation_queue', queue.page_name, queue.status
    FROM `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
    WHERE queue.status NOT IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')
  )
SELECT
  FORMAT('%s %s', invalid.table_name, invalid.record_id) AS subject,
  'WARNING' AS status,
  FORMAT('has %s, or an end that does not fit', COALESCE(invalid.found, 'nothing')) AS details,
  invalid.table_name,
  invalid.record_id,
  invalid.found,
  COUNT(*) OVER () AS problems
FROM invalid_records AS invalid
ORDER BY invalid.table_name, invalid.record_id
LIMIT 50;
