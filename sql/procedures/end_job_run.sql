-- Ends a run of a scheduled procedure: the alert that it calls for, its row in etl_job_runs, its lease.
--
-- Inputs:     the run, as begin_job_run gave it; how it ended; what it handled; why it failed, NULL if nothing did.
-- Guarantees: FAILED writes one CRITICAL alert and COMPLETED_WITH_ERRORS one WARNING, before the row is ended, so that a
--             run cut off here is closed by the next one and not forgotten; any lease that the run holds is free afterwards.
--             check_health writes no alert: its failed transfer run sends the mail.
-- Cost:       three statements on small tables.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.end_job_run`(
  p_job_id STRING,
  p_status STRING,
  p_creators_processed INT64,
  p_creators_failed INT64,
  p_error_message STRING
)
OPTIONS (description = 'Ends the row of a run with its duration, alerts on failures and frees its lease.')
BEGIN
  INSERT INTO `of-scheduler-proj.eros_scheduling_brain.automation_alerts`
    (alert_id, alert_time, alert_level, alert_source, alert_message, job_id, acknowledged)
  SELECT
    GENERATE_UUID(),
    CURRENT_TIMESTAMP(),
    IF(p_status = 'FAILED', 'CRITICAL', 'WARNING'),
    run.job_name,
    CONCAT(run.job_name, IF(p_status = 'FAILED', ' failed: ', ' had failures: '), COALESCE(p_error_message, 'no reason')),
    run.job_id,
    FALSE
  FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
  WHERE run.job_id = p_job_id
    AND p_status IN ('FAILED', 'COMPLETED_WITH_ERRORS')
    AND run.job_name != 'check_health';

  UPDATE `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
  SET
    job_status = p_status,
    job_end_time = CURRENT_TIMESTAMP(),
    creators_processed = p_creators_processed,
    creators_failed = p_creators_failed,
    error_message = p_error_message,
    job_duration_seconds = SAFE_DIVIDE(TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), run.job_start_time, MILLISECOND), 1000)
  WHERE run.job_id = p_job_id;

  UPDATE `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
  SET holder = NULL, expires_at = NULL
  WHERE lease.holder = p_job_id;
END;
