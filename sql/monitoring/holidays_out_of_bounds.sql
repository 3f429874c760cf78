-- Holidays of an unknown type, or with a factor outside 0 and 1.
--
-- Guarantees: WARNING.
-- Cost:       all of holiday_calendar, a few hundred rows.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.holidays_out_of_bounds`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  holiday_date DATE,
  holiday_name STRING,
  problems INT64
>
OPTIONS (description = 'Holidays of an unknown type, or with a factor outside 0 and 1.')
AS
SELECT
  FORMAT('%t %s', holiday.holiday_date, holiday.holiday_name) AS subject,
  'WARNING' AS status,
  FORMAT('its type is %s, its factor %t', holiday.holiday_type, holiday.saturation_impact_factor) AS details,
  holiday.holiday_date,
  holiday.holiday_name,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS holiday
WHERE holiday.holiday_type NOT IN ('FEDERAL', 'CULTURAL', 'COMMERCIAL')
  OR NOT (holiday.saturation_impact_factor BETWEEN 0 AND 1)
ORDER BY holiday.holiday_date, holiday.holiday_name
LIMIT 50;
