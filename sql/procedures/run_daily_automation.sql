-- The day's work for every creator: report, saturation, queue; then the sweep. Once a day, 30 minutes at most.
--
-- Inputs:     the Los Angeles day; NULL is a clear error. Creators are the pages with a message in the 30 days before it.
-- Guarantees: all creators are done in a constant number of statements. When that fails, the failing creators are found by
--             halving the set, so one bad creator costs only itself: its error goes to creator_processing_errors. A pattern
--             that is not valid is known beforehand. Failures are judged in the order of page names: after 5 in a row the
--             run ends as FAILED, and the pages after them are not written. Then the sweep, whose failure is recorded under
--             SYSTEM_CLEANUP and ends nothing. Any failure writes one alert: WARNING, CRITICAL when the run failed. A
--             creator is queued, and has its report, at most once per day, even if the day runs again. A second run for the
--             day, while one is active and younger than 30 minutes, ends as SKIPPED; an older RUNNING row was cut off and is
--             closed as FAILED. The next run for the day does what a run that was cut off left undone.
-- Cost:       without failures a constant number of statements, see process_creators; with them each level of halves
--             repeats the work of those that are not yet done, at most 1 + log2(creators) times.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.run_daily_automation`(execution_date DATE)
OPTIONS (description = 'Makes the reports and the queue of a day for every creator, then sweeps expired locks.')
BEGIN
  -- the argument has the name of a column and would lose to it
  DECLARE v_day DATE DEFAULT execution_date;
  DECLARE v_job_id STRING;
  DECLARE v_now TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  -- read once, since it is of all pages
  DECLARE v_is_headwind BOOL;
  -- in the order of their names
  DECLARE v_pages ARRAY<STRING>;
  DECLARE v_failures ARRAY<STRUCT<page_name STRING, error_message STRING>>;
  DECLARE v_failed_pages ARRAY<STRING>;
  -- the offset in v_pages of the fifth failure in a row; NULL if there is none
  DECLARE v_broken_at INT64;
  -- what is still to be done, the last one first: offsets in v_pages; a second half is known to fail when its first half
  -- ended with as many failures as were known before
  DECLARE v_ranges ARRAY<STRUCT<first_offset INT64, last_offset INT64, failures_before INT64>>;
  DECLARE v_range STRUCT<first_offset INT64, last_offset INT64, failures_before INT64>;
  DECLARE v_middle INT64;
  DECLARE v_is_failing BOOL;
  DECLARE v_failed INT64 DEFAULT 0;
  DECLARE v_processed INT64 DEFAULT 0;
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
      SET v_pages = ARRAY(
        SELECT DISTINCT sent.page_name
        FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
          NULL,
          NULL,
          TIMESTAMP(DATE_SUB(v_day, INTERVAL 30 DAY), 'America/Los_Angeles'),
          TIMESTAMP(v_day, 'America/Los_Angeles')
        ) AS sent
        ORDER BY sent.page_name
      );
      BEGIN
        SET v_failures = ARRAY(
          SELECT AS STRUCT restriction.page_name, MIN(restriction.problem) AS error_message
          FROM `of-scheduler-proj.eros_scheduling_brain.restriction_patterns`(NULL, NULL) AS restriction
          WHERE restriction.problem IS NOT NULL AND restriction.page_name IN UNNEST(v_pages)
          GROUP BY restriction.page_name
        );
      EXCEPTION WHEN ERROR THEN
        -- restrictions that cannot be read fail with their creators
        SET v_failures = [];
      END;
      SET v_failed_pages = ARRAY(SELECT failure.page_name FROM UNNEST(v_failures) AS failure);
      SET v_broken_at = (
        SELECT breaker.place
        FROM `of-scheduler-proj.eros_scheduling_brain.fifth_failure_in_a_row`(v_pages, v_failed_pages) AS breaker
      );
      SET v_is_headwind = (
        SELECT platform.is_headwind
        FROM `of-scheduler-proj.eros_scheduling_brain.platform_headwind`(v_now) AS platform
      );
      SET v_ranges = [
        STRUCT(0 AS first_offset, ARRAY_LENGTH(v_pages) - 1 AS last_offset, CAST(NULL AS INT64) AS failures_before)
      ];

      WHILE ARRAY_LENGTH(v_ranges) > 0 DO
        SET v_range = v_ranges[ORDINAL(ARRAY_LENGTH(v_ranges))];
        SET v_ranges = ARRAY(
          SELECT waiting
          FROM UNNEST(v_ranges) AS waiting WITH OFFSET AS place
          WHERE place < ARRAY_LENGTH(v_ranges) - 1
          ORDER BY place
        );
        SET v_range = STRUCT(
          v_range.first_offset AS first_offset,
          LEAST(v_range.last_offset, COALESCE(v_broken_at, v_range.last_offset)) AS last_offset,
          v_range.failures_before AS failures_before
        );
        SET v_is_failing = FALSE;

        IF v_range.first_offset < v_range.last_offset AND v_range.failures_before = ARRAY_LENGTH(v_failures) THEN
          SET v_is_failing = TRUE;
        ELSEIF v_range.first_offset < v_range.last_offset
          OR (
            v_range.first_offset = v_range.last_offset
            -- one with a pattern that is not valid has failed already
            AND v_pages[OFFSET(v_range.first_offset)] NOT IN UNNEST(v_failed_pages)
          )
        THEN
          BEGIN
            CALL `of-scheduler-proj.eros_scheduling_brain.process_creators`(
              v_job_id,
              v_day,
              v_now,
              v_is_headwind,
              v_pages[OFFSET(v_range.first_offset)],
              v_pages[OFFSET(v_range.last_offset)]
            );
          EXCEPTION WHEN ERROR THEN
            SET v_error = @@error.message;
            SET v_is_failing = TRUE;
          END;
        END IF;

        IF v_is_failing AND v_range.first_offset = v_range.last_offset THEN
          SET v_failures = ARRAY_CONCAT(
            v_failures,
            [STRUCT(v_pages[OFFSET(v_range.first_offset)] AS page_name, v_error AS error_message)]
          );
          SET v_failed_pages = ARRAY(SELECT failure.page_name FROM UNNEST(v_failures) AS failure);
          SET v_broken_at = (
            SELECT breaker.place
            FROM `of-scheduler-proj.eros_scheduling_brain.fifth_failure_in_a_row`(v_pages, v_failed_pages) AS breaker
          );
        ELSEIF v_is_failing THEN
          SET v_middle = DIV(v_range.first_offset + v_range.last_offset, 2);
          SET v_ranges = ARRAY_CONCAT(
            v_ranges,
            [
              STRUCT(
                v_middle + 1 AS first_offset,
                v_range.last_offset AS last_offset,
                ARRAY_LENGTH(v_failures) AS failures_before
              ),
              STRUCT(v_range.first_offset AS first_offset, v_middle AS last_offset, CAST(NULL AS INT64) AS failures_before)
            ]
          );
        END IF;
      END WHILE;

      -- a page after the fifth failure in a row was not reached, whatever is known of its patterns
      SET v_failures = ARRAY(
        SELECT AS STRUCT failure.page_name, failure.error_message
        FROM UNNEST(v_pages) AS page WITH OFFSET AS place
        JOIN UNNEST(v_failures) AS failure
          ON failure.page_name = page
        WHERE v_broken_at IS NULL OR place <= v_broken_at
        ORDER BY place
      );
      SET v_failed = ARRAY_LENGTH(v_failures);
      SET v_processed = COALESCE(v_broken_at + 1, ARRAY_LENGTH(v_pages)) - v_failed;
      IF v_failed > 0 THEN
        SET v_first_error = CONCAT(v_failures[OFFSET(0)].page_name, ': ', v_failures[OFFSET(0)].error_message);
        INSERT INTO `of-scheduler-proj.eros_scheduling_brain.creator_processing_errors`
          (job_id, page_name, execution_date, error_message, error_time)
        SELECT v_job_id, failure.page_name, v_day, failure.error_message, CURRENT_TIMESTAMP()
        FROM UNNEST(v_failures) AS failure;
      END IF;
      IF v_broken_at IS NOT NULL THEN
        RAISE USING MESSAGE = 'Circuit breaker triggered: 5 consecutive failures';
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
          WHEN ARRAY_LENGTH(v_pages) = 0 THEN 'COMPLETED_NO_WORK'
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
