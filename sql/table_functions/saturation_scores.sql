-- Whether a page's fans are tired: its last 7 days against what the same weekdays were before.
--
-- Inputs:     the first and the last page by name, NULL for no bound; the instant, whose Los Angeles day D is not complete
--             and left out; whether all pages together are weak, NULL: look (platform_headwind).
-- Guarantees: five rows for each page with a message from D - 90 to D - 1: one for each account size, whose tolerance the
--             score takes. Deviations are those of day_deviations, averaged over the last 7 days. A run of weak days is one
--             of compared days in their order. An exclusion_reason says that the score is not the page's fault or not to be
--             trusted: then LOW, NO CHANGE, 1.00, for any score.
-- Cost:       one read of 90 days in mass_messages; one more, of all pages, where platform_headwind is asked.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.saturation_scores`(
  p_first_page STRING,
  p_last_page STRING,
  p_as_of TIMESTAMP,
  p_is_headwind BOOL
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
  headwind AS (
    SELECT is_headwind
    FROM `of-scheduler-proj.eros_scheduling_brain.platform_headwind`(p_as_of)
    -- nothing is read where it is given
    WHERE p_is_headwind IS NULL
  ),
  days AS (
    SELECT page_name, day_la, is_compared, unlock_rate_deviation, emv_deviation, is_weak
    FROM `of-scheduler-proj.eros_scheduling_brain.day_deviations`(p_first_page, p_last_page, p_as_of, FALSE)
  ),
  last_7_days AS (
    SELECT page_name, day_la, unlock_rate_deviation, emv_deviation, is_weak
    FROM days
    WHERE is_compared
  ),
  weak_days_by_run AS (
    -- within a run of weak days the day's number and its number among the weak days go up together
    SELECT
      page_name,
      is_weak,
      ROW_NUMBER() OVER (PARTITION BY page_name ORDER BY day_la)
        - ROW_NUMBER() OVER (PARTITION BY page_name, is_weak ORDER BY day_la) AS run_number
    FROM last_7_days
  ),
  longest_runs AS (
    SELECT page_name, MAX(run_length) AS consecutive_underperform_days
    FROM (
      SELECT page_name, COUNT(*) AS run_length
      FROM weak_days_by_run
      WHERE is_weak
      GROUP BY page_name, run_number
    )
    GROUP BY page_name
  ),
  deviations AS (
    SELECT
      page_name,
      AVG(unlock_rate_deviation) AS unlock_rate_deviation,
      AVG(emv_deviation) AS emv_deviation
    FROM last_7_days
    GROUP BY page_name
  ),
  evidence AS (
    SELECT
      page.page_name,
      deviation.unlock_rate_deviation,
      deviation.emv_deviation,
      COALESCE(weak.consecutive_underperform_days, 0) AS consecutive_underperform_days,
      SAFE_DIVIDE(page.days_with_messages, 90) AS confidence_score,
      CASE
        WHEN COALESCE(p_is_headwind, (SELECT is_headwind FROM headwind)) THEN 'PLATFORM_HEADWIND'
        WHEN (
          SELECT COUNT(DISTINCT calendar.holiday_date)
          FROM `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` AS calendar
          WHERE calendar.holiday_date >= DATE_SUB(DATE(p_as_of, 'America/Los_Angeles'), INTERVAL 7 DAY)
            AND calendar.holiday_date < DATE(p_as_of, 'America/Los_Angeles')
        ) >= 3 THEN 'HOLIDAY'
        WHEN page.days_with_messages < 14 THEN 'INSUFFICIENT_DATA'
      END AS exclusion_reason
    FROM (
      SELECT page_name, COUNT(*) AS days_with_messages
      FROM days
      GROUP BY page_name
    ) AS page
    LEFT JOIN deviations AS deviation
      ON page.page_name = deviation.page_name
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
  FROM `of-scheduler-proj.eros_scheduling_brain.saturation_scores`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', NULL)
) = 0 AS 'no message, no row';
