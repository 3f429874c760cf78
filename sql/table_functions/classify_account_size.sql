-- The account size of a page: account_sizes for one page, now.
--
-- Inputs:     the page; the length of the window in days, which ends at the current instant.
-- Guarantees: one row; none for a page without a message in the window.
-- Cost:       one read of the window in mass_messages.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.classify_account_size`(
  p_page_name STRING,
  p_lookback_days INT64
)
RETURNS TABLE<
  account_size_classification STRUCT<size_tier STRING, avg_audience INT64, total_revenue_period FLOAT64, daily_ppv_target_min INT64, daily_ppv_target_max INT64, daily_bump_target INT64, min_ppv_gap_minutes INT64, saturation_tolerance FLOAT64>
>
OPTIONS (description = 'Account size of a page with the daily targets of its tier.')
AS
SELECT
  STRUCT(
    found.size_tier,
    found.avg_audience,
    found.total_revenue_period,
    found.daily_ppv_target_min,
    found.daily_ppv_target_max,
    found.daily_bump_target,
    found.min_ppv_gap_minutes,
    found.saturation_tolerance
  ) AS account_size_classification
FROM `of-scheduler-proj.eros_scheduling_brain.account_sizes`(
  p_page_name,
  p_page_name,
  CURRENT_TIMESTAMP(),
  p_lookback_days
) AS found
WHERE found.page_name = p_page_name;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.classify_account_size`('no such page', 90)
) = 0 AS 'an unknown page gives no row';
