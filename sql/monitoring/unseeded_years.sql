-- This and the next year, where the calendar has fewer than 20 holidays of it.
--
-- Guarantees: CRITICAL.
-- Cost:       two yearly partitions of holiday_calendar.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.unseeded_years`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  year INT64,
  problems INT64
>
OPTIONS (description = 'This and the next year, where the calendar has too few holidays of it.')
AS
WITH
  years_ahead AS (
    SELECT EXTRACT(YEAR FROM CURRENT_DATE('America/Los_Angeles')) + ahead AS year
    FROM UNNEST([0, 1]) AS ahead
  )
SELECT
  CAST(ahead.year AS STRING) AS subject,
  'CRITICAL' AS status,
  FORMAT('the calendar has %d holidays of this year: 20 or more are expected', COUNT(holiday.holiday_date)) AS details,
  ahead.year,
  COUNT(*) OVER () AS problems
FROM years_ahead AS ahead
LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS holiday
  ON EXTRACT(YEAR FROM holiday.holiday_date) = ahead.year
GROUP BY ahead.year
HAVING COUNT(holiday.holiday_date) < 20
ORDER BY ahead.year
LIMIT 50;
