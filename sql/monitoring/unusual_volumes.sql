-- Figures of the jobs that are far from their usual range: creators per run, and locks swept per day.
--
-- Guarantees: WARNING; the usual range is the median of the 28 days before, give or take the greatest of 10, half the median
--             and 6 times the usual spread (1.4826 times the median absolute deviation, which estimates a standard
--             deviation). No row with fewer than 14 days of history.
-- Cost:       30 days of etl_job_runs and of lock_sweep_log.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.unusual_volumes`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  problems INT64
>
OPTIONS (description = 'Creators per run and locks per day that are far from their usual range.')
AS
WITH
  newest_runs_of_each_day AS (
    SELECT
      run.job_name,
      DATE(run.job_start_time, 'America/Los_Angeles') AS day,
      run.creators_processed
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    WHERE run.job_name IN ('run_daily_automation', 'update_caption_performance')
      AND run.job_status IN ('SUCCESS', 'COMPLETED_WITH_ERRORS', 'COMPLETED_NO_WORK')
      AND run.creators_processed IS NOT NULL
      AND run.job_start_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 30 * 24 HOUR)
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY run.job_name, DATE(run.job_start_time, 'America/Los_Angeles')
        ORDER BY run.job_start_time DESC
      ) = 1
  ),
  figures AS (
    SELECT CONCAT('creators of ', run.job_name) AS subject, run.day, run.creators_processed AS figure
    FROM newest_runs_of_each_day AS run
    UNION ALL
    -- of whole days
    SELECT 'locks swept', DATE(sweep.sweep_time, 'America/Los_Angeles'), SUM(sweep.total_locks_cleaned)
    FROM `of-scheduler-proj.eros_scheduling_brain.lock_sweep_log` AS sweep
    WHERE DATE(sweep.sweep_time, 'America/Los_Angeles') < CURRENT_DATE('America/Los_Angeles')
    GROUP BY DATE(sweep.sweep_time, 'America/Los_Angeles')
  ),
  numbered AS (
    SELECT
      known.subject,
      known.day,
      known.figure,
      ROW_NUMBER() OVER (PARTITION BY known.subject ORDER BY known.day DESC) AS age
    FROM figures AS known
  ),
  with_medians AS (
    SELECT
      number.subject,
      number.day,
      number.figure,
      number.age,
      PERCENTILE_CONT(IF(number.age > 1, number.figure, NULL), 0.5) OVER (PARTITION BY number.subject) AS median
    FROM numbered AS number
  ),
  with_spreads AS (
    SELECT
      known.subject,
      known.day,
      known.figure,
      known.age,
      known.median,
      COUNT(*) OVER (PARTITION BY known.subject) - 1 AS days_before,
      1.4826
        * PERCENTILE_CONT(IF(known.age > 1, ABS(known.figure - known.median), NULL), 0.5) OVER (PARTITION BY known.subject)
        AS spread
    FROM with_medians AS known
  )
SELECT
  found.subject,
  'WARNING' AS status,
  FORMAT(
    '%d on %t; the median of the %d days before is %.0f, their usual spread %.0f',
    found.figure,
    found.day,
    found.days_before,
    found.median,
    found.spread
  ) AS details,
  COUNT(*) OVER () AS problems
FROM with_spreads AS found
WHERE found.age = 1
  AND found.day >= DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 1 DAY)
  AND found.days_before >= 14
  AND ABS(found.figure - found.median) > GREATEST(10, 0.5 * found.median, 6 * found.spread)
ORDER BY found.subject
LIMIT 50;
