-- Releases caption locks whose day has passed in Los Angeles; hourly, 5 minutes at most.
--
-- Inputs:     active_caption_assignments. A lock is stale when its scheduled_send_date is more than 7 days ago,
--             or when it has none and was assigned 7 days ago; past date when its day passed within the last
--             7 days. A lock with neither a scheduled day nor a time of assignment is kept: nothing says that it
--             has expired.
-- Guarantees: one row in etl_job_runs per run; one in lock_sweep_log per run that swept. Locks, log
--             and alerts are one transaction: a run cut off anywhere leaves nothing half done. One sweep at a
--             time: another ends as SKIPPED; a run that died blocks others for 5 minutes. A second
--             run changes no further lock.
--             Alerts: WARNING above 1,000 cleaned; above 5,000 still active WARNING, above 10,000 CRITICAL.
--             An error that ends the run is recorded in etl_job_runs and automation_alerts (CRITICAL) and
--             raised again. Do not call it inside a transaction.
-- Cost:       one read and one UPDATE of active_caption_assignments, for any number of locks.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.sweep_expired_caption_locks`()
OPTIONS (description = 'Deactivates caption locks whose day has passed, logs the sweep and alerts on large numbers.')
BEGIN
  DECLARE v_started_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_today DATE DEFAULT CURRENT_DATE('America/Los_Angeles');
  DECLARE v_job_id STRING;
  DECLARE v_attempt INT64 DEFAULT 0;
  DECLARE v_swept BOOL DEFAULT FALSE;
  DECLARE v_stale INT64;
  DECLARE v_past_date INT64;
  DECLARE v_still_active INT64;
  DECLARE v_error STRING;

  CALL `of-scheduler-proj.eros_scheduling_brain.begin_job_run`(
    'sweep_expired_caption_locks',
    'sweep_expired_caption_locks',
    v_today,
    5,
    v_job_id
  );

  IF v_job_id IS NOT NULL THEN
    BEGIN
      -- a transaction that meets another one is cancelled: then it is tried again, five times in all
      WHILE NOT v_swept DO
        SET v_attempt = v_attempt + 1;
        BEGIN
          BEGIN TRANSACTION;
          SET (v_stale, v_past_date, v_still_active) = (
            SELECT AS STRUCT
              COUNTIF(days_past > 7),
              COUNTIF(days_past BETWEEN 1 AND 7),
              COUNTIF(days_past IS NULL OR days_past < 1)
            FROM (
              SELECT
                CASE
                  WHEN assignment.scheduled_send_date IS NOT NULL
                    THEN DATE_DIFF(v_today, assignment.scheduled_send_date, DAY)
                  WHEN assignment.assigned_at <= TIMESTAMP_SUB(v_started_at, INTERVAL 7 * 24 HOUR) THEN 8
                END AS days_past
              FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS assignment
              WHERE assignment.is_active
            )
          );

          UPDATE `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS assignment
          SET is_active = FALSE
          WHERE assignment.is_active
            AND (
              assignment.scheduled_send_date < v_today
              OR (
                assignment.scheduled_send_date IS NULL
                AND assignment.assigned_at <= TIMESTAMP_SUB(v_started_at, INTERVAL 7 * 24 HOUR)
              )
            );

          INSERT INTO `of-scheduler-proj.eros_scheduling_brain.lock_sweep_log`
            (
              sweep_id,
              sweep_time,
              locks_expired_stale,
              locks_expired_past_date,
              total_locks_cleaned,
              sweep_duration_seconds
            )
          VALUES (
            v_job_id,
            v_started_at,
            v_stale,
            v_past_date,
            v_stale + v_past_date,
            SAFE_DIVIDE(TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), v_started_at, MILLISECOND), 1000)
          );

          INSERT INTO `of-scheduler-proj.eros_scheduling_brain.automation_alerts`
            (alert_id, alert_time, alert_level, alert_source, alert_message, job_id, acknowledged)
          SELECT
            GENERATE_UUID(),
            CURRENT_TIMESTAMP(),
            alert.level,
            'sweep_expired_caption_locks',
            alert.message,
            v_job_id,
            FALSE
          FROM (
            SELECT
              'WARNING' AS level,
              FORMAT('One sweep cleaned %d locks: more than 1,000.', v_stale + v_past_date) AS message,
              v_stale + v_past_date > 1000 AS due
            UNION ALL
            SELECT
              IF(v_still_active > 10000, 'CRITICAL', 'WARNING'),
              FORMAT(
                '%d locks stay active after the sweep: more than %s.',
                v_still_active,
                IF(v_still_active > 10000, '10,000', '5,000')
              ),
              v_still_active > 5000
          ) AS alert
          WHERE alert.due;
          COMMIT TRANSACTION;
          SET v_swept = TRUE;
        EXCEPTION WHEN ERROR THEN
          SET v_error = @@error.message;
          BEGIN
            ROLLBACK TRANSACTION;
          EXCEPTION WHEN ERROR THEN
            -- the error had already ended the transaction
            SET v_swept = FALSE;
          END;
          IF v_attempt >= 5 THEN
            RAISE USING MESSAGE = v_error;
          END IF;
        END;
      END WHILE;

      CALL `of-scheduler-proj.eros_scheduling_brain.end_job_run`(v_job_id, 'SUCCESS', NULL, NULL, NULL);
    EXCEPTION WHEN ERROR THEN
      SET v_error = @@error.message;
      CALL `of-scheduler-proj.eros_scheduling_brain.end_job_run`(v_job_id, 'FAILED', NULL, NULL, v_error);
      RAISE USING MESSAGE = CONCAT('sweep_expired_caption_locks: ', v_error);
    END;
  END IF;
END;
