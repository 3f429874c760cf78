-- Schedules whose newest export of the last 7 days failed, or lacks texts.
--
-- Guarantees: WARNING; no row for a schedule that was exported since.
-- Cost:       7 days of schedule_export_log.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.failed_exports`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  schedule_id STRING,
  export_format STRING,
  problems INT64
>
OPTIONS (description = 'Schedules whose newest export failed or is not complete.')
AS
WITH
  newest_exports AS (
    SELECT
      export.schedule_id,
      export.page_name,
      export.export_timestamp,
      export.status,
      export.error_message,
      export.export_format
    FROM `of-scheduler-proj.eros_scheduling_brain.schedule_export_log` AS export
    WHERE export.export_timestamp >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
    QUALIFY ROW_NUMBER() OVER (PARTITION BY export.schedule_id ORDER BY export.export_timestamp DESC) = 1
  )
SELECT
  newest.schedule_id AS subject,
  'WARNING' AS status,
  FORMAT(
    'the export of creator %s at %s ended as %s: %s',
    newest.page_name,
    FORMAT_TIMESTAMP('%F %R', newest.export_timestamp, 'America/Los_Angeles'),
    COALESCE(newest.status, 'an unknown status'),
    COALESCE(newest.error_message, 'no message')
  ) AS details,
  newest.schedule_id,
  IF(newest.export_format IN ('CSV', 'JSON', 'SHEETS'), LOWER(newest.export_format), 'csv') AS export_format,
  COUNT(*) OVER () AS problems
FROM newest_exports AS newest
WHERE newest.status IS DISTINCT FROM 'SUCCESS'
ORDER BY newest.export_timestamp DESC, newest.schedule_id
LIMIT 50;
