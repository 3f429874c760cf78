-- Brings the holidays of a range of years into holiday_calendar.
--
-- Inputs:     the first and the last year, both included; 1970 to 2999, at most 100 years.
-- Guarantees: key (holiday_date, holiday_name). Existing rows are not changed, so a factor edited by hand survives
--             and a second run changes nothing; two holidays on one day both stay.
-- Cost:       one MERGE per year; reads holiday_calendar, a few hundred rows.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.seed_holiday_calendar`(
  p_first_year INT64,
  p_last_year INT64
)
OPTIONS (description = 'Merges the holidays of a range of years into holiday_calendar; changes no existing row.')
BEGIN
  DECLARE v_year INT64;

  IF p_first_year IS NULL
    OR p_last_year IS NULL
    OR p_first_year < 1970
    OR p_last_year > 2999
    OR p_last_year < p_first_year
    OR p_last_year - p_first_year >= 100
  THEN
    RAISE USING MESSAGE = FORMAT(
      'seed_holiday_calendar: the years must be given in order, from 1970 to 2999 and at most 100; got %t to %t',
      p_first_year,
      p_last_year
    );
  END IF;

  -- a table function does not accept a column of a join as an argument, so each year needs its own MERGE
  SET v_year = p_first_year;
  WHILE v_year <= p_last_year DO
    MERGE `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS calendar
    USING (
      SELECT
        rule.holiday_date,
        rule.holiday_name,
        rule.holiday_type,
        rule.is_major_holiday,
        rule.saturation_impact_factor
      FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(v_year) AS rule
    ) AS holiday
    ON calendar.holiday_date = holiday.holiday_date
      AND calendar.holiday_name = holiday.holiday_name
    WHEN NOT MATCHED THEN
      INSERT (holiday_date, holiday_name, holiday_type, is_major_holiday, saturation_impact_factor)
      VALUES (
        holiday.holiday_date,
        holiday.holiday_name,
        holiday.holiday_type,
        holiday.is_major_holiday,
        holiday.saturation_impact_factor
      );
    SET v_year = v_year + 1;
  END WHILE;
END;

-- Tests
BEGIN
  CALL `of-scheduler-proj.eros_scheduling_brain.seed_holiday_calendar`(2027, 2026);
  ASSERT FALSE AS 'years in the wrong order must be refused';
EXCEPTION WHEN ERROR THEN
  ASSERT @@error.message LIKE '%years must be given in order%' AS 'years in the wrong order: a clear error';
END;
