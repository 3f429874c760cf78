-- The content categories of a page: category_performance for one page, now.
--
-- Inputs:     the page; the length of the window in days, which ends at the current instant.
-- Guarantees: one row per category and price tier.
-- Cost:       one read of the window in mass_messages, and of the captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.analyze_content_categories`(
  p_page_name STRING,
  p_lookback_days INT64
)
RETURNS TABLE<
  content_category STRING,
  price_tier STRING,
  msg_count INT64,
  avg_rpr FLOAT64,
  avg_conv FLOAT64,
  trend_pct FLOAT64,
  trend_direction STRING,
  price_sensitivity_corr FLOAT64,
  best_price_tier STRING
>
OPTIONS (description = 'Content categories of a page by price tier, with trend and price sensitivity.')
AS
SELECT
  found.content_category,
  found.price_tier,
  found.msg_count,
  found.avg_rpr,
  found.avg_conv,
  found.trend_pct,
  found.trend_direction,
  found.price_sensitivity_corr,
  found.best_price_tier
FROM `of-scheduler-proj.eros_scheduling_brain.category_performance`(
  p_page_name,
  p_page_name,
  CURRENT_TIMESTAMP(),
  p_lookback_days
) AS found
WHERE found.page_name = p_page_name;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.analyze_content_categories`('no such page', 90)
) = 0 AS 'an unknown page gives no row';
