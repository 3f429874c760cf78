-- How each of the last 7 days differs from what its weekday was before, for each page or for all of them together.
--
-- Inputs:     the first and the last page by name, NULL for no bound; the instant, whose Los Angeles day D is not complete
--             and left out; whether the pages count as one, whose name is ''.
-- Guarantees: one row per page and day with a message from D - 90 to D - 1. Days D - 7 to D - 1 are compared with the same
--             weekday's median over D - 90 to D - 8; days of holiday_calendar are left out of both. A day's unlock rate is
--             views / messages sent, its EMV the mean over its messages. Deviations are fractions (-0.3 is 30 % below), NULL
--             where the day is not compared. Sums are FLOAT64: one page's figures cannot overflow those of the others.
-- Cost:       one read of 90 days in mass_messages.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.day_deviations`(
  p_first_page STRING,
  p_last_page STRING,
  p_as_of TIMESTAMP,
  p_together BOOL
)
RETURNS TABLE<
  page_name STRING,
  day_la DATE,
  is_compared BOOL,
  unlock_rate_deviation FLOAT64,
  emv_deviation FLOAT64,
  is_weak BOOL
>
OPTIONS (description = 'The last 7 days of pages, or of all together, against the same weekdays before.')
AS
WITH
  days AS (
    SELECT
      IF(p_together, '', sent.page_name) AS page_or_all,
      DATE(sent.sending_time, 'America/Los_Angeles') AS day_la,
      SUM(CAST(sent.sent_count AS FLOAT64)) AS sent_count,
      SUM(IF(sent.sent_count > 0, CAST(sent.viewed_count AS FLOAT64), 0)) AS viewed_count,
      SUM(sent.emv) AS emv_sum,
      COUNT(sent.emv) AS emv_count
    FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
      p_first_page,
      p_last_page,
      TIMESTAMP(DATE_SUB(DATE(p_as_of, 'America/Los_Angeles'), INTERVAL 90 DAY), 'America/Los_Angeles'),
      TIMESTAMP(DATE(p_as_of, 'America/Los_Angeles'), 'America/Los_Angeles')
    ) AS sent
    GROUP BY page_or_all, day_la
  ),
  holidays AS (
    SELECT DISTINCT calendar.holiday_date
    FROM `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS calendar
    WHERE calendar.holiday_date >= DATE_SUB(DATE(p_as_of, 'America/Los_Angeles'), INTERVAL 90 DAY)
      AND calendar.holiday_date < DATE(p_as_of, 'America/Los_Angeles')
  ),
  days_with_their_figures AS (
    SELECT
      day.page_or_all AS page_name,
      day.day_la,
      EXTRACT(DAYOFWEEK FROM day.day_la) AS weekday,
      day.day_la >= DATE_SUB(DATE(p_as_of, 'America/Los_Angeles'), INTERVAL 7 DAY) AS is_of_the_last_7,
      holidays.holiday_date IS NOT NULL AS is_holiday,
      SAFE_DIVIDE(day.viewed_count, day.sent_count) AS unlock_rate,
      SAFE_DIVIDE(day.emv_sum, day.emv_count) AS emv
    FROM days AS day
    LEFT JOIN holidays
      ON day.day_la = holidays.holiday_date
  ),
  medians_of_the_weekdays AS (
    SELECT DISTINCT
      page_name,
      weekday,
      PERCENTILE_CONT(unlock_rate, 0.5) OVER (PARTITION BY page_name, weekday) AS unlock_rate,
      PERCENTILE_CONT(emv, 0.5) OVER (PARTITION BY page_name, weekday) AS emv
    FROM days_with_their_figures
    WHERE NOT is_of_the_last_7 AND NOT is_holiday
  )
SELECT
  day.page_name,
  day.day_la,
  day.is_of_the_last_7 AND NOT day.is_holiday AS is_compared,
  SAFE_DIVIDE(day.unlock_rate - median.unlock_rate, median.unlock_rate) AS unlock_rate_deviation,
  SAFE_DIVIDE(day.emv - median.emv, median.emv) AS emv_deviation,
  COALESCE(day.emv < 0.8 * median.emv, FALSE) AS is_weak
FROM days_with_their_figures AS day
LEFT JOIN medians_of_the_weekdays AS median
  ON day.page_name = median.page_name
  AND day.weekday = median.weekday
  AND day.is_of_the_last_7
  AND NOT day.is_holiday;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.day_deviations`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', FALSE)
) = 0 AS 'no message, no day';
