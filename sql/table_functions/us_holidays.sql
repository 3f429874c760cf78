-- The days of a year that move demand in the United States, computed by rule.
--
-- Inputs:     the year; years before a holiday existed do not have it (Juneteenth from 2021, Martin Luther King Jr. Day
--             from 1986, Veterans Day on 11 November from 1978).
-- Guarantees: every federal holiday on its own day, and its observed day as a second row, named '… (observed)', where it
--             falls on a weekend (Saturday: the Friday before; Sunday: the Monday after); cultural and commercial days;
--             at least 20 rows per year; each (holiday_date, holiday_name) once. Rows belong to the year of their date: New
--             Year's Day of the next year, when it is a Saturday, is observed on 31 December of this one.
-- Source:     5 U.S.C. § 6103 for the federal holidays; Easter by the anonymous Gregorian computus (J. Meeus, Astronomical
--             Algorithms, 1991, chapter 8).
-- Cost:       reads no table.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.us_holidays`(p_year INT64)
RETURNS TABLE<
  holiday_date DATE,
  holiday_name STRING,
  holiday_type STRING,
  is_major_holiday BOOL,
  saturation_impact_factor FLOAT64
>
OPTIONS (description = 'US federal (with observed), cultural and commercial days of a year, computed by rule.')
AS
WITH
  golden_number_and_century AS (
    SELECT
      MOD(p_year, 19) AS golden,
      DIV(p_year, 100) AS century,
      MOD(p_year, 100) AS year_of_century
  ),
  epact_and_weekday AS (
    SELECT
      golden,
      year_of_century,
      century,
      MOD(
        19 * golden + century - DIV(century, 4) - DIV(century - DIV(century + 8, 25) + 1, 3) + 15,
        30
      ) AS epact
    FROM golden_number_and_century
  ),
  days_to_the_sunday AS (
    SELECT
      golden,
      epact,
      MOD(
        32 + 2 * MOD(century, 4) + 2 * DIV(year_of_century, 4) - epact - MOD(year_of_century, 4),
        7
      ) AS to_sunday
    FROM epact_and_weekday
  ),
  easter AS (
    SELECT
      DATE_ADD(
        DATE(p_year, 3, 22),
        INTERVAL epact + to_sunday - 7 * DIV(golden + 11 * epact + 22 * to_sunday, 451) DAY
      ) AS easter_sunday
    FROM days_to_the_sunday
  ),
  nth_weekday_rules AS (
    -- the nth weekday (1 = Sunday) of a month; a negative n counts from the month's end
    SELECT 1 AS month_number, 3 AS n, 2 AS weekday, 'Martin Luther King Jr. Day' AS holiday_name
    UNION ALL SELECT 2, 3, 2, 'Presidents\' Day'
    UNION ALL SELECT 5, -1, 2, 'Memorial Day'
    UNION ALL SELECT 9, 1, 2, 'Labor Day'
    UNION ALL SELECT 10, 2, 2, 'Columbus Day'
    UNION ALL SELECT 11, 4, 5, 'Thanksgiving Day'
    UNION ALL SELECT 5, 2, 1, 'Mother\'s Day'
    UNION ALL SELECT 6, 3, 1, 'Father\'s Day'
    UNION ALL SELECT 2, IF(p_year >= 2022, 2, 1), 1, 'Super Bowl Sunday'
  ),
  first_and_last_of_the_month AS (
    SELECT
      n,
      weekday,
      holiday_name,
      DATE(p_year, month_number, 1) AS first_day,
      LAST_DAY(DATE(p_year, month_number, 1), MONTH) AS last_day
    FROM nth_weekday_rules
  ),
  nth_weekdays AS (
    SELECT
      holiday_name,
      IF(
        n > 0,
        DATE_ADD(first_day, INTERVAL MOD(weekday - EXTRACT(DAYOFWEEK FROM first_day) + 7, 7) + 7 * (n - 1) DAY),
        DATE_SUB(last_day, INTERVAL MOD(EXTRACT(DAYOFWEEK FROM last_day) - weekday + 7, 7) DAY)
      ) AS holiday_date
    FROM first_and_last_of_the_month
  ),
  dates AS (
    SELECT holiday_name, holiday_date FROM nth_weekdays
    UNION ALL SELECT 'New Year\'s Day', DATE(p_year, 1, 1)
    UNION ALL SELECT 'Juneteenth', DATE(p_year, 6, 19)
    UNION ALL SELECT 'Independence Day', DATE(p_year, 7, 4)
    UNION ALL SELECT 'Veterans Day', DATE(p_year, 11, 11)
    UNION ALL SELECT 'Christmas Day', DATE(p_year, 12, 25)
    -- the next year's first day, for its observed day only
    UNION ALL SELECT 'New Year\'s Day', DATE(p_year + 1, 1, 1)
    UNION ALL SELECT 'Valentine\'s Day', DATE(p_year, 2, 14)
    UNION ALL SELECT 'St. Patrick\'s Day', DATE(p_year, 3, 17)
    UNION ALL SELECT 'Easter Sunday', easter_sunday FROM easter
    UNION ALL SELECT 'Cinco de Mayo', DATE(p_year, 5, 5)
    UNION ALL SELECT 'Halloween', DATE(p_year, 10, 31)
    UNION ALL SELECT 'Christmas Eve', DATE(p_year, 12, 24)
    UNION ALL SELECT 'New Year\'s Eve', DATE(p_year, 12, 31)
    UNION ALL
      SELECT 'Black Friday', DATE_ADD(holiday_date, INTERVAL 1 DAY)
      FROM nth_weekdays WHERE holiday_name = 'Thanksgiving Day'
    UNION ALL
      SELECT 'Cyber Monday', DATE_ADD(holiday_date, INTERVAL 4 DAY)
      FROM nth_weekdays WHERE holiday_name = 'Thanksgiving Day'
    UNION ALL SELECT 'Singles\' Day', DATE(p_year, 11, 11)
  ),
  properties AS (
    SELECT 'New Year\'s Day' AS holiday_name, 'FEDERAL' AS holiday_type, TRUE AS major, 0.6 AS factor, 1870 AS since
    UNION ALL SELECT 'Martin Luther King Jr. Day', 'FEDERAL', FALSE, 0.9, 1986
    UNION ALL SELECT 'Presidents\' Day', 'FEDERAL', FALSE, 0.9, 1971
    UNION ALL SELECT 'Memorial Day', 'FEDERAL', TRUE, 0.8, 1971
    UNION ALL SELECT 'Juneteenth', 'FEDERAL', FALSE, 0.9, 2021
    UNION ALL SELECT 'Independence Day', 'FEDERAL', TRUE, 0.7, 1870
    UNION ALL SELECT 'Labor Day', 'FEDERAL', TRUE, 0.8, 1894
    UNION ALL SELECT 'Columbus Day', 'FEDERAL', FALSE, 0.95, 1971
    UNION ALL SELECT 'Veterans Day', 'FEDERAL', FALSE, 0.95, 1978
    UNION ALL SELECT 'Thanksgiving Day', 'FEDERAL', TRUE, 0.6, 1942
    UNION ALL SELECT 'Christmas Day', 'FEDERAL', TRUE, 0.5, 1870
    UNION ALL SELECT 'Valentine\'s Day', 'CULTURAL', TRUE, 0.7, 1870
    UNION ALL SELECT 'Super Bowl Sunday', 'CULTURAL', TRUE, 0.7, 2004
    UNION ALL SELECT 'St. Patrick\'s Day', 'CULTURAL', FALSE, 0.9, 1870
    UNION ALL SELECT 'Easter Sunday', 'CULTURAL', TRUE, 0.8, 1870
    UNION ALL SELECT 'Cinco de Mayo', 'CULTURAL', FALSE, 0.95, 1870
    UNION ALL SELECT 'Mother\'s Day', 'CULTURAL', TRUE, 0.8, 1914
    UNION ALL SELECT 'Father\'s Day', 'CULTURAL', FALSE, 0.85, 1972
    UNION ALL SELECT 'Halloween', 'CULTURAL', FALSE, 0.85, 1920
    UNION ALL SELECT 'Christmas Eve', 'CULTURAL', TRUE, 0.6, 1870
    UNION ALL SELECT 'New Year\'s Eve', 'CULTURAL', TRUE, 0.7, 1870
    UNION ALL SELECT 'Black Friday', 'COMMERCIAL', TRUE, 0.7, 1975
    UNION ALL SELECT 'Cyber Monday', 'COMMERCIAL', FALSE, 0.8, 2005
    UNION ALL SELECT 'Singles\' Day', 'COMMERCIAL', FALSE, 0.95, 2009
  ),
  holidays_on_their_own_day AS (
    SELECT dates.holiday_date, dates.holiday_name, properties.holiday_type, properties.major, properties.factor
    FROM dates
    JOIN properties
      ON dates.holiday_name = properties.holiday_name
      AND EXTRACT(YEAR FROM dates.holiday_date) >= properties.since
  ),
  observed_days AS (
    SELECT
      DATE_ADD(
        holiday_date,
        INTERVAL CASE EXTRACT(DAYOFWEEK FROM holiday_date) WHEN 7 THEN -1 WHEN 1 THEN 1 ELSE 0 END DAY
      ) AS holiday_date,
      CONCAT(holiday_name, ' (observed)') AS holiday_name,
      holiday_type,
      major,
      factor
    FROM holidays_on_their_own_day
    WHERE holiday_type = 'FEDERAL' AND EXTRACT(DAYOFWEEK FROM holiday_date) IN (1, 7)
  ),
  both AS (
    SELECT holiday_date, holiday_name, holiday_type, major, factor FROM holidays_on_their_own_day
    UNION ALL
    SELECT holiday_date, holiday_name, holiday_type, major, factor FROM observed_days
  )
SELECT
  holiday_date,
  holiday_name,
  holiday_type,
  major AS is_major_holiday,
  factor AS saturation_impact_factor
FROM both
WHERE EXTRACT(YEAR FROM holiday_date) = p_year;

-- Tests
ASSERT (
  SELECT COUNT(*) >= 20 AND COUNT(*) = COUNT(DISTINCT CONCAT(CAST(holiday_date AS STRING), holiday_name))
  FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(2026)
) AS 'at least 20 days, none twice';
ASSERT (
  SELECT LOGICAL_AND(saturation_impact_factor BETWEEN 0 AND 1)
  FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(2026)
) AS 'factors within [0, 1]';
ASSERT (
  SELECT holiday_date FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(2026)
  WHERE holiday_name = 'Independence Day (observed)'
) = DATE '2026-07-03' AS 'a Saturday is observed on the Friday before';
ASSERT (
  SELECT holiday_date FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(2021)
  WHERE holiday_name = 'New Year\'s Day (observed)'
) = DATE '2021-12-31' AS 'the next New Year\'s Day is observed this year when it is a Saturday';
ASSERT (
  SELECT holiday_date FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(2024)
  WHERE holiday_name = 'Easter Sunday'
) = DATE '2024-03-31' AS 'Easter 2024';
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(2020) WHERE holiday_name = 'Juneteenth'
) = 0 AS 'no Juneteenth before 2021';
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(2019)
  WHERE holiday_date = DATE '2019-11-11'
) = 2 AS 'two holidays on one day both remain';
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(2021)
  WHERE (holiday_date, holiday_name) IN (
    (DATE '2021-01-18', 'Martin Luther King Jr. Day'),
    (DATE '2021-02-07', 'Super Bowl Sunday'),
    (DATE '2021-05-31', 'Memorial Day'),
    (DATE '2021-09-06', 'Labor Day'),
    (DATE '2021-11-25', 'Thanksgiving Day'),
    (DATE '2021-11-29', 'Cyber Monday')
  )
) = 6 AS 'the days that depend on the weekday, 2021';
ASSERT NOT EXISTS (
  SELECT holiday_date FROM `of-scheduler-proj.eros_scheduling_brain.us_holidays`(2026)
  WHERE holiday_name IN ('Labor Day', 'Memorial Day', 'Presidents\' Day', 'Cyber Monday')
    AND EXTRACT(DAYOFWEEK FROM holiday_date) != 2
) AS 'Mondays are Mondays';
