-- This and the next year, where the calendar has fewer than 20 holidays of it.
--
-- Cost: two yearly partitions of holiday_calendar.
WITH years_ahead AS (
  SELECT EXTRACT(YEAR FROM CURRENT_DATE('America/Los_Angeles')) + ahead AS year
  FROM UNNEST([0, 1]) AS ahead
)
SELECT ahead.year, COUNT(holiday.holiday_date) AS holidays
FROM years_ahead AS ahead
LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS holiday
  ON EXTRACT(YEAR FROM holiday.holiday_date) = ahead.year
GROUP BY ahead.year
HAVING COUNT(holiday.holiday_date) < 20
ORDER BY ahead.year;
