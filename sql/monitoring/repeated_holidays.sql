-- Holidays that the calendar has more than once.
--
-- Cost: all of holiday_calendar, a few hundred rows.
SELECT holiday.holiday_date, holiday.holiday_name, COUNT(*) AS times
FROM `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS holiday
GROUP BY holiday.holiday_date, holiday.holiday_name
HAVING COUNT(*) > 1
ORDER BY holiday.holiday_date, holiday.holiday_name
LIMIT 100;
