-- The day's work for every creator: report, saturation, queue; then the sweep. Once a day, 30 minutes at most.
--
-- Inputs:     the Los Angeles day; NULL is a clear error. Creators are the pages with a message in the 30 days before it.
-- Guarantees: all creators are done in a constant number of statements. When that fails each is done alone, in the order
--             of their names: the error of one goes to creator_processing_errors and stops only that creator; 5 in a row stop
--             the run, which ends as FAILED. Then the sweep, whose failure is recorded under SYSTEM_CLEANUP and ends
--             nothing. Any failure writes one alert: WARNING, CRITICAL when the run failed. A creator is queued, and has its
--             report, at most once per day, even if the day runs again. A second run for the day, while one is active and
--             younger than 30 minutes, ends as SKIPPED; an older RUNNING row was cut off and is closed as FAILED. The next
--             run for the day does what a run that was cut off left undone.
-- Cost:       without failures a constant number of statements, see process_creators; alone, three per creator.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.run_daily_automation`(execution_date DATE)
OPTIONS (description = 'Makes the reports and the queue of a day for every creator, then sweeps expired locks.')
BEGIN
  -- the argument has the name of a column and would lose to it
  DECLARE v_day DATE DEFAULT execution_date;
  DECLARE v_job_id STRING;
  DECLARE v_creators INT64;
  DECLARE v_failed INT64 DEFAULT 0;
  DECLARE v_processed INT64 DEFAULT 0;
  DECLARE v_failed_in_a_row INT64 DEFAULT 0;
  DECLARE v_done_together BOOL DEFAULT FALSE;
  DECLARE v_first_error STRING;
  DECLARE v_error STRING;

  IF v_day IS NULL THEN
    RAISE USING MESSAGE = 'run_daily_automation: execution_date is NULL: name the day to run for';
  END IF;

  CALL `of-scheduler-proj.eros_scheduling_brain.begin_job_run`(
    'run_daily_automation',
    FORMAT('run_daily_automation %t', v_day),
    v_day,
    30,
    v_job_id
  );

  IF v_job_id IS NOT NULL THEN
    BEGIN
      SET v_creators = (
        SELECT COUNT(DISTINCT sent.page_name)
        FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
          NULL,
          TIMESTAMP(DATE_SUB(v_day, INTERVAL 30 DAY), 'America/Los_Angeles'),
          TIMESTAMP(v_day, 'America/Los_Angeles')
        ) AS sent
      );

      IF v_creators > 0 THEN
        BEGIN
          CALL `of-scheduler-proj.eros_scheduling_brain.process_creators`(v_job_id, v_day, NULL);
          SET v_processed = v_creators;
          SET v_done_together = TRUE;
        EXCEPTION WHEN ERROR THEN
          SET v_done_together = FALSE;
        END;
      END IF;

      IF v_creators > 0 AND NOT v_done_together THEN
        FOR creator IN (
          SELECT DISTINCT sent.page_name
          FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
            NULL,
            TIMESTAMP(DATE_SUB(v_day, INTERVAL 30 DAY), 'America/Los_Angeles'),
            TIMESTAMP(v_day, 'America/Los_Angeles')
          ) AS sent
          ORDER BY sent.page_name
        ) DO
          BEGIN
            CALL `of-scheduler-proj.eros_scheduling_brain.process_creators`(v_job_id, v_day, creator.page_name);
            SET v_processed = v_processed + 1;
            SET v_failed_in_a_row = 0;
          EXCEPTION WHEN ERROR THEN
            SET v_error = @@error.message;
            SET v_first_error = COALESCE(v_first_error, CONCAT(creator.page_name, ': ', v_error));
            SET v_failed = v_failed + 1;
            SET v_failed_in_a_row = v_failed_in_a_row + 1;
            INSERT INTO `of-scheduler-proj.eros_scheduling_brain.creator_processing_errors`
              (job_id, page_name, execution_date, error_message, error_time)
            VALUES (v_job_id, creator.page_name, v_day, v_error, CURRENT_TIMESTAMP());
          END;
          IF v_failed_in_a_row >= 5 THEN
            RAISE USING MESSAGE = 'Circuit breaker triggered: 5 consecutive failures';
          END IF;
        END FOR;
      END IF;

      BEGIN
        CALL `of-scheduler-proj.eros_scheduling_brain.sweep_expired_caption_locks`();
      EXCEPTION WHEN ERROR THEN
        SET v_error = @@error.message;
        SET v_first_error = COALESCE(v_first_error, CONCAT('SYSTEM_CLEANUP: ', v_error));
        INSERT INTO `of-scheduler-proj.eros_scheduling_brain.creator_processing_errors`
          (job_id, page_name, execution_date, error_message, error_time)
        VALUES (v_job_id, 'SYSTEM_CLEANUP', v_day, v_error, CURRENT_TIMESTAMP());
      END;

      CALL `of-scheduler-proj.eros_scheduling_brain.end_job_run`(
        v_job_id,
        CASE
          WHEN v_first_error IS NOT NULL THEN 'COMPLETED_WITH_ERRORS'
          WHEN v_creators = 0 THEN 'COMPLETED_NO_WORK'
          ELSE 'SUCCESS'
        END,
        v_processed,
        v_failed,
        v_first_error
      );
    EXCEPTION WHEN ERROR THEN
      SET v_error = @@error.message;
      CALL `of-scheduler-proj.eros_scheduling_brain.end_job_run`(v_job_id, 'FAILED', v_processed, v_failed, v_error);
      RAISE USING MESSAGE = CONCAT('run_daily_automation: ', v_error);
    END;
  END IF;
END;

-- Tests
BEGIN
  CALL `of-scheduler-proj.eros_scheduling_brain.run_daily_automation`(NULL);
  ASSERT FALSE AS 'a day must be given';
EXCEPTION WHEN ERROR THEN
  ASSERT @@error.message LIKE '%execution_date is NULL%' AS 'no day: a clear error';
END;
