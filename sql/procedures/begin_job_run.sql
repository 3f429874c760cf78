-- Begins a run of a scheduled procedure: its row in etl_job_runs and its lease, both or neither.
--
-- Inputs:     the job, the lease that it must hold, the Los Angeles day that it runs for, the minutes that it may take,
--             and p_job_id, which takes the id of the run, or NULL when another run is active.
-- Guarantees: exactly one of several callers gets the lease. A caller ends as SKIPPED while a run younger than p_minutes
--             holds the lease, or is RUNNING for the same job and day. Older RUNNING rows of the job belong to runs that
--             were cut off and are closed as FAILED. An error is recorded in etl_job_runs and automation_alerts
--             (CRITICAL) and raised again. Do not call it inside a transaction.
-- Cost:       a few statements on small tables.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.begin_job_run`(
  p_job_name STRING,
  p_lease_name STRING,
  p_execution_date DATE,
  p_minutes INT64,
  OUT p_job_id STRING
)
OPTIONS (description = 'Takes the lease of a job and writes its RUNNING row; gives no id when another run is active.')
BEGIN
  DECLARE v_job_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_started_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_attempt INT64 DEFAULT 0;
  DECLARE v_decided BOOL DEFAULT FALSE;
  DECLARE v_has_lease BOOL;
  DECLARE v_error STRING;

  SET p_job_id = NULL;
  BEGIN
    UPDATE `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    SET
      job_status = 'FAILED',
      job_end_time = v_started_at,
      error_message = 'The run was cut off; its row was closed by the next run.',
      job_duration_seconds = SAFE_DIVIDE(TIMESTAMP_DIFF(v_started_at, run.job_start_time, MILLISECOND), 1000)
    WHERE run.job_name = p_job_name
      AND run.job_status = 'RUNNING'
      AND run.job_start_time < TIMESTAMP_SUB(v_started_at, INTERVAL p_minutes MINUTE);

    -- the lease's row must exist before it can be taken
    MERGE `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
    USING (SELECT p_lease_name AS wanted) AS missing
    ON lease.lease_name = missing.wanted
    WHEN NOT MATCHED THEN
      INSERT (lease_name) VALUES (missing.wanted);

    -- a transaction that meets another one is cancelled: then it is tried again, five times in all
    WHILE NOT v_decided DO
      SET v_attempt = v_attempt + 1;
      BEGIN
        BEGIN TRANSACTION;
        UPDATE `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
        SET
          holder = v_job_id,
          acquired_at = v_started_at,
          expires_at = TIMESTAMP_ADD(v_started_at, INTERVAL p_minutes MINUTE)
        WHERE lease.lease_name = p_lease_name
          -- checks the name, not the row: two first runs may both have inserted a row
          AND lease.lease_name NOT IN (
            SELECT held.lease_name
            FROM `of-scheduler-proj.eros_scheduling_brain.leases` AS held
            WHERE held.holder IS NOT NULL
              AND held.expires_at > v_started_at
              -- a run that was cut off between the end of its row and the release of its lease
              AND held.holder NOT IN (
                SELECT ended.job_id
                FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS ended
                WHERE ended.job_name = p_job_name AND ended.job_status != 'RUNNING'
              )
          )
          AND NOT EXISTS (
            SELECT run.job_id
            FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
            WHERE run.job_name = p_job_name
              AND run.job_status = 'RUNNING'
              AND run.execution_date = p_execution_date
          );
        SET v_has_lease = @@row_count > 0;
        INSERT INTO `of-scheduler-proj.eros_scheduling_brain.etl_job_runs`
          (job_id, job_name, job_start_time, job_end_time, job_status, execution_date, job_duration_seconds)
        VALUES (
          v_job_id,
          p_job_name,
          v_started_at,
          IF(v_has_lease, NULL, v_started_at),
          IF(v_has_lease, 'RUNNING', 'SKIPPED'),
          p_execution_date,
          IF(v_has_lease, NULL, 0.0)
        );
        COMMIT TRANSACTION;
        SET v_decided = TRUE;
      EXCEPTION WHEN ERROR THEN
        SET v_error = @@error.message;
        BEGIN
          ROLLBACK TRANSACTION;
        EXCEPTION WHEN ERROR THEN
          -- the error had already ended the transaction
          SET v_has_lease = FALSE;
        END;
        IF v_attempt >= 5 THEN
          RAISE USING MESSAGE = v_error;
        END IF;
      END;
    END WHILE;
    IF v_has_lease THEN
      SET p_job_id = v_job_id;
    END IF;
  EXCEPTION WHEN ERROR THEN
    SET v_error = @@error.message;
    INSERT INTO `of-scheduler-proj.eros_scheduling_brain.etl_job_runs`
      (job_id, job_name, job_start_time, job_end_time, job_status, execution_date, error_message, job_duration_seconds)
    VALUES (
      v_job_id,
      p_job_name,
      v_started_at,
      CURRENT_TIMESTAMP(),
      'FAILED',
      p_execution_date,
      v_error,
      SAFE_DIVIDE(TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), v_started_at, MILLISECOND), 1000)
    );
    INSERT INTO `of-scheduler-proj.eros_scheduling_brain.automation_alerts`
      (alert_id, alert_time, alert_level, alert_source, alert_message, job_id, acknowledged)
    SELECT
      GENERATE_UUID(),
      CURRENT_TIMESTAMP(),
      'CRITICAL',
      p_job_name,
      CONCAT(p_job_name, ' failed: ', v_error),
      v_job_id,
      FALSE
    FROM UNNEST([p_job_name]) AS job_name
    WHERE job_name != 'check_health';
    RAISE USING MESSAGE = CONCAT(p_job_name, ': ', v_error);
  END;
END;
