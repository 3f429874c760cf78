-- Holidays of an unknown type, or with a factor outside 0 and 1.
--
-- Cost: all of holiday_calendar, a few hundred rows.
SELECT holiday.holiday_date, holiday.holiday_name, holiday.holiday_type, holiday.saturation_impact_factor
FROM `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS holiday
WHERE holiday.holiday_type NOT IN ('FEDERAL', 'CULTURAL', 'COMMERCIAL')
  OR NOT (holiday.saturation_impact_factor BETWEEN 0 AND 1)
ORDER BY holiday.holiday_date, holiday.holiday_name
LIMIT 100;
