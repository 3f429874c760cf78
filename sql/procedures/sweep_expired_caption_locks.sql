-- Lets go of caption locks whose day has passed in Los Angeles; hourly, 5 minutes at most.
--
-- Inputs:     active_caption_assignments. A lock is stale when its scheduled_send_date is more than 7 days ago,
--             or when it has none and was assigned 7 days ago; past date when its day passed within the last
--             7 days. A lock with neither a scheduled day nor a time of assignment is left alone: nothing says
--             that it has expired.
-- Guarantees: one row in etl_job_runs for each run; one in lock_sweep_log for each run that swept. Locks, log
--             and alerts are one transaction: a run cut off anywhere leaves nothing half done, and the next
--             one closes its row by what it finds. The lease lets one sweep at a time, any other ends as
--             SKIPPED; a holder that died keeps it for 10 minutes. Running it twice changes no lock more.
--             Alerts: WARNING above 1,000 cleaned; above 5,000 still active WARNING, above 10,000 CRITICAL.
--             An error that ends the run is recorded in etl_job_runs and automation_alerts (CRITICAL) and
--             raised again. Not to be called inside a transaction.
-- Cost:       one read and one UPDATE of active_caption_assignments, whatever the number of locks.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.sweep_expired_caption_locks`()
OPTIONS (description = 'Deactivates caption locks whose day has passed, logs the sweep and alerts on large numbers.')
BEGIN
  DECLARE v_job_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_started_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_today DATE DEFAULT CURRENT_DATE('America/Los_Angeles');
  DECLARE v_attempt INT64 DEFAULT 0;
  DECLARE v_has_lease BOOL;
  DECLARE v_outcome STRING;
  DECLARE v_stale INT64;
  DECLARE v_past_date INT64;
  DECLARE v_still_active INT64;
  DECLARE v_error STRING;

  INSERT INTO `of-scheduler-proj.eros_scheduling_brain.etl_job_runs`
    (job_id, job_name, job_start_time, job_status, execution_date)
  VALUES (v_job_id, 'sweep_expired_caption_locks', v_started_at, 'RUNNING', v_today);

  BEGIN
    -- runs that were cut off: those whose log stands had done everything but to say so
    UPDATE `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    SET
      job_status = IF(
        run.job_id IN (
          SELECT sweep.sweep_id FROM `of-scheduler-proj.eros_scheduling_brain.lock_sweep_log` AS sweep
        ),
        'SUCCESS',
        'FAILED'
      ),
      job_end_time = v_started_at,
      error_message = 'The run was cut off; its row was closed by the next run.',
      job_duration_seconds = SAFE_DIVIDE(TIMESTAMP_DIFF(v_started_at, run.job_start_time, MILLISECOND), 1000)
    WHERE run.job_name = 'sweep_expired_caption_locks'
      AND run.job_status = 'RUNNING'
      AND run.job_start_time < TIMESTAMP_SUB(v_started_at, INTERVAL 10 MINUTE);

    -- the lease's row must stand before it can be taken
    MERGE `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
    USING (SELECT 'sweep_expired_caption_locks' AS wanted) AS missing
    ON lease.lease_name = missing.wanted
    WHEN NOT MATCHED THEN
      INSERT (lease_name) VALUES (missing.wanted);

    -- a transaction that meets another one is cancelled: then it is tried again, five times in all
    WHILE v_outcome IS NULL DO
      SET v_attempt = v_attempt + 1;
      BEGIN
        BEGIN TRANSACTION;
        UPDATE `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
        SET
          holder = v_job_id,
          acquired_at = CURRENT_TIMESTAMP(),
          expires_at = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 10 MINUTE)
        WHERE lease.lease_name = 'sweep_expired_caption_locks'
          -- asked of the name, not of the row: two first runs may both have put a row there
          AND lease.lease_name NOT IN (
            SELECT held.lease_name
            FROM `of-scheduler-proj.eros_scheduling_brain.leases` AS held
            WHERE held.holder != v_job_id AND held.expires_at > CURRENT_TIMESTAMP()
          );
        SET v_has_lease = @@row_count > 0;
        COMMIT TRANSACTION;

        IF v_has_lease THEN
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
        END IF;
        SET v_outcome = IF(v_has_lease, 'SUCCESS', 'SKIPPED');
      EXCEPTION WHEN ERROR THEN
        SET v_error = @@error.message;
        BEGIN
          ROLLBACK TRANSACTION;
        EXCEPTION WHEN ERROR THEN
          -- the error had already ended the transaction
          SET v_outcome = NULL;
        END;
        IF v_attempt >= 5 THEN
          RAISE USING MESSAGE = v_error;
        END IF;
      END;
    END WHILE;

    UPDATE `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
    SET holder = NULL, expires_at = NULL
    WHERE lease.lease_name = 'sweep_expired_caption_locks' AND lease.holder = v_job_id;

    UPDATE `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    SET
      job_status = v_outcome,
      job_end_time = CURRENT_TIMESTAMP(),
      job_duration_seconds = SAFE_DIVIDE(TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), v_started_at, MILLISECOND), 1000)
    WHERE run.job_id = v_job_id AND run.job_start_time = v_started_at;
  EXCEPTION WHEN ERROR THEN
    SET v_error = @@error.message;

    UPDATE `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    SET
      job_status = 'FAILED',
      job_end_time = CURRENT_TIMESTAMP(),
      error_message = v_error,
      job_duration_seconds = SAFE_DIVIDE(TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), v_started_at, MILLISECOND), 1000)
    WHERE run.job_id = v_job_id AND run.job_start_time = v_started_at;

    INSERT INTO `of-scheduler-proj.eros_scheduling_brain.automation_alerts`
      (alert_id, alert_time, alert_level, alert_source, alert_message, job_id, acknowledged)
    VALUES (
      GENERATE_UUID(),
      CURRENT_TIMESTAMP(),
      'CRITICAL',
      'sweep_expired_caption_locks',
      CONCAT('The sweep failed: ', v_error),
      v_job_id,
      FALSE
    );

    IF v_has_lease THEN
      UPDATE `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
      SET holder = NULL, expires_at = NULL
      WHERE lease.lease_name = 'sweep_expired_caption_locks' AND lease.holder = v_job_id;
    END IF;

    RAISE USING MESSAGE = CONCAT('sweep_expired_caption_locks: ', v_error);
  END;
END;
