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
  id_column STRING,
  record_id STRING,
  problems INT64
>
OPTIONS (description = 'Records of the automation with an unknown status or level, or without an end.')
AS
WITH
  invalid_records AS (
    SELECT
      'etl_job_runs' AS table_name,
      'job_id' AS id_column,
      run.job_id AS record_id,
      CASE
        WHEN run.job_end_time < run.job_start_time THEN 'ends before it began'
        WHEN run.job_status IN ('SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK', 'SKIPPED', 'FAILED')
          THEN CONCAT('has the status ', run.job_status, ' and no end')
        ELSE CONCAT('has the unknown status ', run.job_status)
      END AS problem
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    WHERE run.job_name != 'check_health'
      AND (
        run.job_status NOT IN (
          'RUNNING', 'SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK', 'SKIPPED', 'FAILED'
        )
        OR (run.job_status != 'RUNNING' AND (run.job_end_time IS NULL OR run.job_end_time < run.job_start_time))
      )
    UNION ALL
    SELECT 'automation_alerts', 'alert_id', alert.alert_id, CONCAT('has the unknown level ', alert.alert_level)
    FROM `of-scheduler-proj.eros_scheduling_brain.automation_alerts` AS alert
    WHERE alert.alert_level NOT IN ('INFO', 'WARNING', 'CRITICAL')
    UNION ALL
    SELECT 'lock_sweep_log', 'sweep_id', sweep.sweep_id, 'has a total that is not the sum of its two kinds'
    FROM `of-scheduler-proj.eros_scheduling_brain.lock_sweep_log` AS sweep
    WHERE sweep.total_locks_cleaned != sweep.locks_expired_stale + sweep.locks_expired_past_date
    UNION ALL
    SELECT 'schedule_generation_queue', 'page_name', queue.page_name, CONCAT('has the unknown status ', queue.status)
    FROM `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
    WHERE queue.status NOT IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')
  )
SELECT
  FORMAT('%s %s', invalid.table_name, invalid.record_id) AS subject,
  'WARNING' AS status,
  invalid.problem AS details,
  invalid.table_name,
  invalid.id_column,
  invalid.record_id,
  COUNT(*) OVER () AS problems
FROM invalid_records AS invalid
ORDER BY invalid.table_name, invalid.record_id
LIMIT 50;
