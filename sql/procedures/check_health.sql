-- Looks whether all is well, and writes down what it finds; hourly, 5 minutes at most.
--
-- Inputs:     the questions of sql/monitoring/, which are table functions of the same names.
-- Guarantees: one look writes one row to health_checks for each check that finds nothing (OK), one for each of the 50 worst
--             findings of a check, and one with the subject 'more' that counts the rest. A check that cannot be asked is a
--             WARNING and does not hide the others. Then its row in etl_job_runs ends as SUCCESS. After that it ends with an
--             error that lists the CRITICAL findings, check and subject, that were not told in the last 24 hours, so that
--             the failed transfer run sends the mail. A look that could not write ends as FAILED, and with its error. No
--             alert is written to automation_alerts. One look at a time: another ends as SKIPPED.
-- Cost:       the minimum of 10 MB for each table of a question, except that 30 days of two columns of mass_messages, the
--             captions, and a day of the job history are read.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.check_health`()
OPTIONS (description = 'Asks every monitoring question, keeps the findings, and fails on CRITICAL ones that nobody was told.')
BEGIN
  DECLARE v_now TIMESTAMP;
  DECLARE v_job_id STRING;
  DECLARE v_found ARRAY<STRUCT<subject STRING, status STRING, details STRING, problems INT64>>;
  DECLARE
    v_checks
      ARRAY<
        STRUCT<
          check_name STRING,
          found ARRAY<STRUCT<subject STRING, status STRING, details STRING, problems INT64>>
        >
      >
    DEFAULT [];
  DECLARE v_untold STRING;
  DECLARE v_error STRING;

  CALL `of-scheduler-proj.eros_scheduling_brain.begin_job_run`(
    'check_health',
    'check_health',
    CURRENT_DATE('America/Los_Angeles'),
    5,
    v_job_id
  );

  IF v_job_id IS NOT NULL THEN
    BEGIN
      -- later than every look before, even while a clock stands
      SET v_now = (
        SELECT COALESCE(TIMESTAMP_ADD(MAX(look.checked_at), INTERVAL 1 MICROSECOND), CURRENT_TIMESTAMP())
        FROM `of-scheduler-proj.eros_scheduling_brain.health_checks` AS look
        WHERE look.checked_at BETWEEN CURRENT_TIMESTAMP() AND TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 SECOND)
      );

      -- each question in a block of its own, because a missing table or column fails the whole statement
      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.bytes_over_budget`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('bytes_over_budget' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.circuit_breaker`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('circuit_breaker' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.creators_without_results`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('creators_without_results' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.differing_caption_keys`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('differing_caption_keys' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.divisions_by_zero`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('divisions_by_zero' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.double_locked_captions`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('double_locked_captions' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.expired_leases`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('expired_leases' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.failed_creators`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('failed_creators' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.failed_exports`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('failed_exports' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.failed_runs`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('failed_runs' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.held_leases`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('held_leases' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.holidays_out_of_bounds`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('holidays_out_of_bounds' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.records_out_of_rule`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('records_out_of_rule' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.repeated_holidays`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('repeated_holidays' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.repeated_queue_entries`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('repeated_queue_entries' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.repeated_statistics`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('repeated_statistics' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.runs_with_errors`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('runs_with_errors' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.schedules_without_work`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('schedules_without_work' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.short_selections`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('short_selections' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.slow_runs`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('slow_runs' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.statistics_out_of_bounds`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('statistics_out_of_bounds' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.stuck_runs`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('stuck_runs' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.unacknowledged_alerts`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('unacknowledged_alerts' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.undrained_queue`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('undrained_queue' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.unseeded_years`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('unseeded_years' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.unswept_locks`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('unswept_locks' AS check_name, v_found AS found)]);

      BEGIN
        SET v_found = ARRAY(
          SELECT AS STRUCT problem.subject, problem.status, LEFT(problem.details, 500) AS details, problem.problems
          FROM `of-scheduler-proj.eros_scheduling_brain.unusual_volumes`() AS problem
        );
      EXCEPTION WHEN ERROR THEN
        SET v_found = [
          STRUCT('this check' AS subject, 'WARNING' AS status, LEFT(@@error.message, 500) AS details, 1 AS problems)
        ];
      END;
      SET v_checks = ARRAY_CONCAT(v_checks, [STRUCT('unusual_volumes' AS check_name, v_found AS found)]);

      INSERT INTO `of-scheduler-proj.eros_scheduling_brain.health_checks`
        (checked_at, check_name, subject, status, details, first_seen_at, notified_at)
      WITH
        findings AS (
          SELECT asked.check_name, problem.subject, problem.status, problem.details
          FROM UNNEST(v_checks) AS asked
          CROSS JOIN UNNEST(asked.found) AS problem
          UNION ALL
          SELECT
            asked.check_name,
            'more',
            -- no worse than those that are shown
            MAX(problem.status),
            FORMAT('%d more', MAX(problem.problems) - COUNT(*))
          FROM UNNEST(v_checks) AS asked
          CROSS JOIN UNNEST(asked.found) AS problem
          GROUP BY asked.check_name
          HAVING MAX(problem.problems) > COUNT(*)
        ),
        looks AS (
          SELECT look.checked_at, look.check_name, look.subject, look.first_seen_at, look.notified_at
          FROM `of-scheduler-proj.eros_scheduling_brain.health_checks` AS look
          WHERE look.checked_at BETWEEN TIMESTAMP_SUB(v_now, INTERVAL 24 HOUR) AND v_now
        ),
        known AS (
          SELECT
            look.check_name,
            look.subject,
            MIN(IF(look.checked_at = (SELECT MAX(newest.checked_at) FROM looks AS newest), look.first_seen_at, NULL))
              AS first_seen_at,
            MAX(IF(look.notified_at > TIMESTAMP_SUB(v_now, INTERVAL 24 HOUR), look.notified_at, NULL)) AS notified_at
          FROM looks AS look
          WHERE look.subject IS NOT NULL
          GROUP BY look.check_name, look.subject
        )
      SELECT
        v_now,
        finding.check_name,
        finding.subject,
        finding.status,
        finding.details,
        COALESCE(known.first_seen_at, v_now),
        IF(finding.status = 'CRITICAL', COALESCE(known.notified_at, v_now), known.notified_at)
      FROM findings AS finding
      LEFT JOIN known
        ON finding.check_name = known.check_name AND finding.subject = known.subject
      UNION ALL
      SELECT v_now, asked.check_name, NULL, 'OK', NULL, NULL, NULL
      FROM UNNEST(v_checks) AS asked
      WHERE ARRAY_LENGTH(asked.found) = 0;

      SET v_untold = (
        SELECT STRING_AGG(CONCAT(told.check_name, ' (', told.subjects, ')'), ', ' ORDER BY told.check_name)
        FROM (
          SELECT finding.check_name, STRING_AGG(finding.subject, ', ' ORDER BY finding.subject) AS subjects
          FROM `of-scheduler-proj.eros_scheduling_brain.health_checks` AS finding
          WHERE finding.checked_at = v_now AND finding.notified_at = v_now
          GROUP BY finding.check_name
        ) AS told
      );
      CALL `of-scheduler-proj.eros_scheduling_brain.end_job_run`(v_job_id, 'SUCCESS', NULL, NULL, NULL);
    EXCEPTION WHEN ERROR THEN
      SET v_error = @@error.message;
      CALL `of-scheduler-proj.eros_scheduling_brain.end_job_run`(v_job_id, 'FAILED', NULL, NULL, v_error);
      RAISE USING MESSAGE = CONCAT('check_health: ', v_error, COALESCE(CONCAT('; CRITICAL findings: ', v_untold), ''));
    END;
    IF v_untold IS NOT NULL THEN
      RAISE USING MESSAGE = CONCAT('check_health: CRITICAL findings: ', v_untold);
    END IF;
  END IF;
END;
