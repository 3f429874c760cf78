-- The day's reports and queue entries of the creators in a range of names, all or none of them.
--
-- Inputs:     the run, as in etl_job_runs; the Los Angeles day; the instant at which the reports' windows end; whether all
--             pages together are weak, as platform_headwind says; the first and the last page by name, NULL for no bound.
-- Guarantees: one report and one queue entry per page and day; existing ones are not changed, so it may run any number of
--             times. A creator is queued as PENDING when is_unsaturated says so. A creator with a pattern that is not valid
--             gets neither. When one creator of the range fails nothing is written. A conflict with another transaction is
--             tried again, five times in all.
-- Cost:       two statements: 90 days of mass_messages for the reports, 30 for the saturation, and the captions.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.process_creators`(
  p_job_id STRING,
  p_day DATE,
  p_as_of TIMESTAMP,
  p_is_headwind BOOL,
  p_first_page STRING,
  p_last_page STRING
)
OPTIONS (description = 'Makes the reports and the queue entries of a range of creators for a day, all or none.')
BEGIN
  DECLARE v_attempt INT64 DEFAULT 0;
  DECLARE v_done BOOL DEFAULT FALSE;
  DECLARE v_error STRING;
  -- with a pattern that is not valid
  DECLARE v_invalid_pages ARRAY<STRING> DEFAULT ARRAY(
    SELECT DISTINCT restriction.page_name
    FROM `of-scheduler-proj.eros_scheduling_brain.restriction_patterns`(p_first_page, p_last_page) AS restriction
    WHERE restriction.problem IS NOT NULL
  );

  WHILE NOT v_done DO
    SET v_attempt = v_attempt + 1;
    BEGIN
      BEGIN TRANSACTION;

      MERGE `of-scheduler-proj.eros_scheduling_brain.creator_performance_reports` AS existing
      USING (
        SELECT made.page_name, made.report
        FROM `of-scheduler-proj.eros_scheduling_brain.creator_reports`(
          p_first_page,
          p_last_page,
          p_as_of,
          p_is_headwind
        ) AS made
        WHERE made.page_name IN (
          SELECT active.page_name
          FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
            p_first_page,
            p_last_page,
            TIMESTAMP(DATE_SUB(p_day, INTERVAL 30 DAY), 'America/Los_Angeles'),
            TIMESTAMP(p_day, 'America/Los_Angeles')
          ) AS active
        )
          AND made.page_name NOT IN UNNEST(v_invalid_pages)
      ) AS fresh
      ON existing.page_name = fresh.page_name
        AND existing.execution_date = p_day
      WHEN NOT MATCHED THEN
        INSERT (page_name, execution_date, job_id, report, created_at)
        VALUES (fresh.page_name, p_day, p_job_id, fresh.report, p_as_of);

      MERGE `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
      USING (
        SELECT creator.page_name, creator.saturation_pct
        FROM `of-scheduler-proj.eros_scheduling_brain.caption_saturation`(p_day, p_first_page, p_last_page) AS creator
        WHERE `of-scheduler-proj.eros_scheduling_brain.is_unsaturated`(creator.saturation_pct)
          AND creator.page_name NOT IN UNNEST(v_invalid_pages)
      ) AS unsaturated
      ON queue.page_name = unsaturated.page_name
        AND queue.execution_date = p_day
      WHEN NOT MATCHED THEN
        INSERT (page_name, execution_date, saturation_pct, queued_at, status)
        VALUES (unsaturated.page_name, p_day, unsaturated.saturation_pct, p_as_of, 'PENDING');

      COMMIT TRANSACTION;
      SET v_done = TRUE;
    EXCEPTION WHEN ERROR THEN
      SET v_error = @@error.message;
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        -- the error had already ended the transaction
        SET v_done = FALSE;
      END;
      IF v_attempt >= 5
        OR NOT REGEXP_CONTAINS(
          v_error,
          r'Could not serialize access|Transaction is aborted|Too many DML statements outstanding|Exceeded rate limits'
        )
      THEN
        RAISE USING MESSAGE = v_error;
      END IF;
    END;
  END WHILE;
END;
