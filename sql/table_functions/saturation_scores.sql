-- Whether a page's fans are tired: its last 7 days against what the same weekdays were before.
--
-- Inputs:     the page, NULL for all; the instant, whose Los Angeles day D is not complete and left out.
-- Guarantees: five rows for each page with a message from D - 90 to D - 1: one for each account size, whose tolerance the
--             score takes. Days D - 7 to D - 1 are compared with the same weekday's median over D - 90 to D - 8; days of
--             holiday_calendar are left out of both. A day's unlock rate is views / messages sent, its EMV the mean over
--             its messages. Deviations are fractions (-0.3 is 30 % below). A run of weak days is one of compared days in
--             their order. An exclusion_reason says that the score is not the page's fault or not to be trusted: then
--             LOW, NO CHANGE, 1.00, for any score.
-- Cost:       one read of 90 days in mass_messages (of all pages: the platform's own decline is seen in all of them).
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.saturation_scores`(
  p_page_name STRING,
  p_as_of TIMESTAMP
)
RETURNS TABLE<
  page_name STRING,
  account_size_tier STRING,
  saturation_score FLOAT64,
  risk_level STRING,
  unlock_rate_deviation FLOAT64,
  emv_deviation FLOAT64,
  consecutive_underperform_days INT64,
  recommended_action STRING,
  volume_adjustment_factor FLOAT64,
  confidence_score FLOAT64,
  exclusion_reason STRING
>
OPTIONS (description = 'Saturation of one page or all pages, for each account size, with the recommended change of volume.')
AS
WITH
  days_of_the_pages AS (
    SELECT
      sent.page_name,
      DATE(sent.sending_time, 'America/Los_Angeles') AS day_la,
      SUM(sent.sent_count) AS sent_count,
      SUM(IF(sent.sent_count > 0, sent.viewed_count, 0)) AS viewed_count,
      SUM(sent.emv) AS emv_sum,
      COUNT(sent.emv) AS emv_count
    FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
      NULL,
      TIMESTAMP(DATE_SUB(DATE(p_as_of, 'America/Los_Angeles'), INTERVAL 90 DAY), 'America/Los_Angeles'),
      TIMESTAMP(DATE(p_as_of, 'America/Los_Angeles'), 'America/Los_Angeles')
    ) AS sent
    GROUP BY sent.page_name, day_la
  ),
  days_of_the_pages_and_of_the_platform AS (
    SELECT page_name, FALSE AS is_platform, day_la, sent_count, viewed_count, emv_sum, emv_count
    FROM days_of_the_pages
    WHERE p_page_name IS NULL OR page_name = p_page_name
    UNION ALL
    SELECT '', TRUE, day_la, SUM(sent_count), SUM(viewed_count), SUM(emv_sum), SUM(emv_count)
    FROM days_of_the_pages
    GROUP BY day_la
  ),
  holidays AS (
    SELECT DISTINCT calendar.holiday_date
    FROM `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS calendar
    WHERE calendar.holiday_date >= DATE_SUB(DATE(p_as_of, 'America/Los_Angeles'), INTERVAL 90 DAY)
      AND calendar.holiday_date < DATE(p_as_of, 'America/Los_Angeles')
  ),
  compared_days AS (
    SELECT
      day.page_name,
      day.is_platform,
      day.day_la,
      EXTRACT(DAYOFWEEK FROM day.day_la) AS weekday,
      day.day_la >= DATE_SUB(DATE(p_as_of, 'America/Los_Angeles'), INTERVAL 7 DAY) AS is_of_the_last_7,
      SAFE_DIVIDE(day.viewed_count, day.sent_count) AS unlock_rate,
      SAFE_DIVIDE(day.emv_sum, day.emv_count) AS emv
    FROM days_of_the_pages_and_of_the_platform AS day
    LEFT JOIN holidays
      ON day.day_la = holidays.holiday_date
    WHERE holidays.holiday_date IS NULL
  ),
  medians_of_the_weekdays AS (
    SELECT DISTINCT
      page_name,
      is_platform,
      weekday,
      PERCENTILE_CONT(unlock_rate, 0.5) OVER (PARTITION BY page_name, is_platform, weekday) AS unlock_rate,
      PERCENTILE_CONT(emv, 0.5) OVER (PARTITION BY page_name, is_platform, weekday) AS emv
    FROM compared_days
    WHERE NOT is_of_the_last_7
  ),
  last_7_days AS (
    SELECT
      day.page_name,
      day.is_platform,
      day.day_la,
      SAFE_DIVIDE(day.unlock_rate - median.unlock_rate, median.unlock_rate) AS unlock_rate_deviation,
      SAFE_DIVIDE(day.emv - median.emv, median.emv) AS emv_deviation,
      COALESCE(day.emv < 0.8 * median.emv, FALSE) AS is_weak
    FROM compared_days AS day
    LEFT JOIN medians_of_the_weekdays AS median
      ON day.page_name = median.page_name
      AND day.is_platform = median.is_platform
      AND day.weekday = median.weekday
    WHERE day.is_of_the_last_7
  ),
  weak_days_by_run AS (
    -- within a run of weak days the day's number and its number among the weak days go up together
    SELECT
      page_name,
      is_platform,
      is_weak,
      ROW_NUMBER() OVER (PARTITION BY page_name, is_platform ORDER BY day_la)
        - ROW_NUMBER() OVER (PARTITION BY page_name, is_platform, is_weak ORDER BY day_la) AS run_number
    FROM last_7_days
  ),
  longest_runs AS (
    SELECT page_name, MAX(run_length) AS consecutive_underperform_days
    FROM (
      SELECT page_name, COUNT(*) AS run_length
      FROM weak_days_by_run
      WHERE is_weak AND NOT is_platform
      GROUP BY page_name, run_number
    )
    GROUP BY page_name
  ),
  deviations AS (
    SELECT
      page_name,
      is_platform,
      AVG(unlock_rate_deviation) AS unlock_rate_deviation,
      AVG(emv_deviation) AS emv_deviation
    FROM last_7_days
    GROUP BY page_name, is_platform
  ),
  evidence AS (
    SELECT
      page.page_name,
      deviation.unlock_rate_deviation,
      deviation.emv_deviation,
      COALESCE(weak.consecutive_underperform_days, 0) AS consecutive_underperform_days,
      SAFE_DIVIDE(page.days_with_messages, 90) AS confidence_score,
      CASE
        WHEN (SELECT emv_deviation FROM deviations WHERE is_platform) < -0.2 THEN 'PLATFORM_HEADWIND'
        WHEN (
          SELECT COUNT(*)
          FROM holidays
          WHERE holiday_date >= DATE_SUB(DATE(p_as_of, 'America/Los_Angeles'), INTERVAL 7 DAY)
        ) >= 3 THEN 'HOLIDAY'
        WHEN page.days_with_messages < 14 THEN 'INSUFFICIENT_DATA'
      END AS exclusion_reason
    FROM (
      SELECT page_name, COUNT(*) AS days_with_messages
      FROM days_of_the_pages_and_of_the_platform
      WHERE NOT is_platform
      GROUP BY page_name
    ) AS page
    LEFT JOIN deviations AS deviation
      ON page.page_name = deviation.page_name AND NOT deviation.is_platform
    LEFT JOIN longest_runs AS weak
      ON page.page_name = weak.page_name
  ),
  scores AS (
    SELECT
      evidence.page_name,
      tier.size_tier,
      -- rounded, so that what adds up to a limit in decimals reaches it
      ROUND(LEAST(
        1.0,
        (
          CASE
            WHEN evidence.unlock_rate_deviation < -0.3 THEN 0.4
            WHEN evidence.unlock_rate_deviation < -0.15 THEN 0.25
            WHEN evidence.unlock_rate_deviation < -0.05 THEN 0.15
            ELSE 0.0
          END
          + CASE
            WHEN evidence.emv_deviation < -0.4 THEN 0.4
            WHEN evidence.emv_deviation < -0.2 THEN 0.25
            WHEN evidence.emv_deviation < -0.1 THEN 0.15
            ELSE 0.0
          END
          + CASE
            WHEN evidence.consecutive_underperform_days >= 3 THEN 0.2
            WHEN evidence.consecutive_underperform_days = 2 THEN 0.1
            ELSE 0.0
          END
        ) * (1 + tier.saturation_tolerance - 0.5)
      ), 9) AS saturation_score,
      evidence.unlock_rate_deviation,
      evidence.emv_deviation,
      evidence.consecutive_underperform_days,
      evidence.confidence_score,
      evidence.exclusion_reason
    FROM evidence
    CROSS JOIN `of-scheduler-proj.eros_scheduling_brain.account_size_tiers`() AS tier
  ),
  risks AS (
    SELECT
      page_name,
      size_tier,
      saturation_score,
      CASE
        WHEN exclusion_reason IS NOT NULL THEN 'LOW'
        WHEN saturation_score >= 0.6 THEN 'HIGH'
        WHEN saturation_score >= 0.3 THEN 'MEDIUM'
        ELSE 'LOW'
      END AS risk_level,
      unlock_rate_deviation,
      emv_deviation,
      consecutive_underperform_days,
      confidence_score,
      exclusion_reason
    FROM scores
  )
SELECT
  page_name,
  size_tier AS account_size_tier,
  saturation_score,
  risk_level,
  unlock_rate_deviation,
  emv_deviation,
  consecutive_underperform_days,
  CASE risk_level WHEN 'HIGH' THEN 'CUT VOLUME 30%' WHEN 'MEDIUM' THEN 'CUT VOLUME 15%' ELSE 'NO CHANGE' END
    AS recommended_action,
  CASE risk_level WHEN 'HIGH' THEN 0.7 WHEN 'MEDIUM' THEN 0.85 ELSE 1.0 END AS volume_adjustment_factor,
  confidence_score,
  exclusion_reason
FROM risks;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.saturation_scores`(NULL, TIMESTAMP '1990-01-01 00:00:00+00')
) = 0 AS 'no message, no row';
