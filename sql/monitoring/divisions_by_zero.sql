-- Errors of the last 7 days that mention a division by zero: a run's, a creator's.
--
-- Guarantees: WARNING; looks at all messages, also those written by others; every division of the repository is
--             SAFE_DIVIDE.
-- Cost:       7 days of etl_job_runs and of creator_processing_errors.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.divisions_by_zero`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  problems INT64
>
OPTIONS (description = 'Errors of the last 7 days that mention a division by zero.')
AS
WITH
  recorded_errors AS (
    SELECT run.job_name AS source, run.job_id, run.job_start_time AS happened_at, run.error_message
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    WHERE run.job_name != 'check_health'
      AND run.job_start_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
    UNION ALL
    SELECT failure.page_name AS source, failure.job_id, failure.error_time AS happened_at, failure.error_message
    FROM `of-scheduler-proj.eros_scheduling_brain.creator_processing_errors` AS failure
    WHERE failure.error_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
  )
SELECT
  recorded.source AS subject,
  'WARNING' AS status,
  FORMAT(
    '%s: run %s: %s',
    FORMAT_TIMESTAMP('%F %R', recorded.happened_at, 'America/Los_Angeles'),
    recorded.job_id,
    recorded.error_message
  ) AS details,
  COUNT(*) OVER () AS problems
FROM recorded_errors AS recorded
WHERE LOWER(recorded.error_message) LIKE '%division by zero%'
ORDER BY recorded.happened_at DESC
LIMIT 50;
