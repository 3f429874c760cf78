-- Creators whose report or queue entry of today is missing after 04:30 in Los Angeles.
--
-- Guarantees: CRITICAL; creators are those of the daily run. A creator with few free captions needs no queue entry. One that
--             failed today is in failed_creators, not here. No rows on the day of the first deployment until its first
--             daily run has ended.
-- Cost:       30 days of two columns of mass_messages, the captions, and a day of reports and of the queue.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.creators_without_results`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  execution_date DATE,
  problems INT64
>
OPTIONS (description = 'Creators whose report or queue entry of today is missing.')
AS
WITH
  creators AS (
    SELECT
      creator.page_name,
      `of-scheduler-proj.eros_scheduling_brain.is_unsaturated`(creator.saturation_pct) AS is_unsaturated,
      CURRENT_DATE('America/Los_Angeles') AS today
    FROM `of-scheduler-proj.eros_scheduling_brain.caption_saturation`(
      CURRENT_DATE('America/Los_Angeles'),
      NULL,
      NULL
    ) AS creator
    WHERE TIME(CURRENT_TIMESTAMP(), 'America/Los_Angeles') >= TIME '04:30:00'
  ),
  was_due AS (
    SELECT
      COALESCE(
        LOGICAL_OR(
          run.job_start_time < TIMESTAMP(CURRENT_DATE('America/Los_Angeles'), 'America/Los_Angeles')
            OR (
              run.job_name = 'run_daily_automation'
              AND run.execution_date = CURRENT_DATE('America/Los_Angeles')
              AND run.job_status NOT IN ('RUNNING', 'SKIPPED')
            )
        ),
        FALSE
      ) AS is_due
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
  ),
  failures AS (
    SELECT DISTINCT failure.page_name
    FROM `of-scheduler-proj.eros_scheduling_brain.creator_processing_errors` AS failure
    WHERE failure.execution_date = CURRENT_DATE('America/Los_Angeles')
      AND failure.error_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 48 HOUR)
  ),
  missing AS (
    SELECT
      creator.page_name,
      creator.today,
      report.page_name IS NULL AS lacks_report,
      queue.page_name IS NULL AND creator.is_unsaturated AS lacks_queue_entry
    FROM creators AS creator
    CROSS JOIN was_due
    LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.creator_performance_reports` AS report
      ON report.page_name = creator.page_name AND report.execution_date = creator.today
    LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
      ON queue.page_name = creator.page_name AND queue.execution_date = creator.today
    LEFT JOIN failures AS failed
      ON failed.page_name = creator.page_name
    WHERE was_due.is_due AND failed.page_name IS NULL
  )
SELECT
  lacking.page_name AS subject,
  'CRITICAL' AS status,
  FORMAT(
    'has no %s for %t',
    CASE
      WHEN lacking.lacks_report AND lacking.lacks_queue_entry THEN 'report and no queue entry'
      WHEN lacking.lacks_report THEN 'report'
      ELSE 'queue entry'
    END,
    lacking.today
  ) AS details,
  lacking.today AS execution_date,
  COUNT(*) OVER () AS problems
FROM missing AS lacking
WHERE lacking.lacks_report OR lacking.lacks_queue_entry
ORDER BY lacking.page_name
LIMIT 50;
