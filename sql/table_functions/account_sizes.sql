-- The size of each page's account by its revenue in a window.
--
-- Inputs:     the first and the last page by name, NULL for no bound; the instant at which the window ends; its length in days.
-- Guarantees: one row per page with a message in the window. avg_audience is the median of sent_count over the
--             messages that were sent to anybody, rounded.
-- Cost:       one read of the window in mass_messages.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.account_sizes`(
  p_first_page STRING,
  p_last_page STRING,
  p_as_of TIMESTAMP,
  p_lookback_days INT64
)
RETURNS TABLE<
  page_name STRING,
  size_tier STRING,
  avg_audience INT64,
  total_revenue_period FLOAT64,
  daily_ppv_target_min INT64,
  daily_ppv_target_max INT64,
  daily_bump_target INT64,
  min_ppv_gap_minutes INT64,
  saturation_tolerance FLOAT64
>
OPTIONS (description = 'Account size of one page or all pages, with the daily targets of its tier.')
AS
WITH
  messages_with_the_median_audience AS (
    SELECT
      sent.page_name,
      sent.earnings,
      PERCENTILE_CONT(IF(sent.sent_count > 0, sent.sent_count, NULL), 0.5) OVER (PARTITION BY sent.page_name)
        AS median_audience
    FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
      p_first_page,
      p_last_page,
      TIMESTAMP_SUB(p_as_of, INTERVAL p_lookback_days DAY),
      p_as_of
    ) AS sent
  ),
  revenue_of_the_pages AS (
    SELECT page_name, CAST(ROUND(MAX(median_audience)) AS INT64) AS avg_audience, SUM(earnings) AS total_revenue
    FROM messages_with_the_median_audience
    GROUP BY page_name
  )
SELECT
  page.page_name,
  tier.size_tier,
  page.avg_audience,
  page.total_revenue AS total_revenue_period,
  tier.daily_ppv_target_min,
  tier.daily_ppv_target_max,
  tier.daily_bump_target,
  tier.min_ppv_gap_minutes,
  tier.saturation_tolerance
FROM revenue_of_the_pages AS page
JOIN `of-scheduler-proj.eros_scheduling_brain.account_size_tiers`() AS tier
  ON page.total_revenue >= tier.revenue_from AND page.total_revenue < tier.revenue_below;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.account_sizes`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', 90)
) = 0 AS 'no message, no row';
