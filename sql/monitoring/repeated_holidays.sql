-- Holidays that the calendar has more than once.
--
-- Guarantees: WARNING.
-- Cost:       all of holiday_calendar, a few hundred rows.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.repeated_holidays`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  holiday_date DATE,
  holiday_name STRING,
  problems INT64
>
OPTIONS (description = 'Holidays that the calendar has more than once.')
AS
SELECT
  FORMAT('%t %s', holiday.holiday_date, holiday.holiday_name) AS subject,
  'WARNING' AS status,
  FORMAT('the calendar has it %d times', COUNT(*)) AS details,
  holiday.holiday_date,
  holiday.holiday_name,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS holiday
GROUP BY holiday.holiday_date, holiday.holiday_name
HAVING COUNT(*) > 1
ORDER BY holiday.holiday_date, holiday.holiday_name
LIMIT 50;
