-- What each content category and price tier of a page earns, and its trend.
--
-- Inputs:     as account_sizes.
-- Guarantees: one row per page, category and tier with a message in the window that was sent to anybody. The trend
--             compares the mean rpr of the last 30 days with that of the 30 before, for any window; STABLE and no
--             percentage where either has no message. price_sensitivity_corr (Pearson, of conv and price) and
--             best_price_tier (by mean rpr) are those of the category over all its tiers.
-- Cost:       one read of the window, or of 60 days where that is longer, in mass_messages, and of the captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.category_performance`(
  p_first_page STRING,
  p_last_page STRING,
  p_as_of TIMESTAMP,
  p_lookback_days INT64
)
RETURNS TABLE<
  page_name STRING,
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
OPTIONS (description = 'Content categories by price tier of one page or all pages, with trend and price sensitivity.')
AS
WITH
  described AS (
    SELECT
      sent.page_name,
      sent.content_category,
      sent.price_tier,
      sent.price,
      sent.rpr,
      sent.conv,
      sent.sending_time >= TIMESTAMP_SUB(p_as_of, INTERVAL p_lookback_days DAY) AS is_in_window,
      sent.sending_time >= TIMESTAMP_SUB(p_as_of, INTERVAL 30 DAY) AS is_recent,
      sent.sending_time < TIMESTAMP_SUB(p_as_of, INTERVAL 30 DAY)
        AND sent.sending_time >= TIMESTAMP_SUB(p_as_of, INTERVAL 60 DAY) AS is_before
    FROM `of-scheduler-proj.eros_scheduling_brain.described_messages`(
      p_first_page,
      p_last_page,
      TIMESTAMP_SUB(p_as_of, INTERVAL GREATEST(p_lookback_days, 60) DAY),
      p_as_of
    ) AS sent
    WHERE sent.content_category IS NOT NULL
  ),
  figures_of_category_and_tier AS (
    SELECT
      page_name,
      content_category,
      price_tier,
      COUNTIF(is_in_window) AS msg_count,
      AVG(IF(is_in_window, rpr, NULL)) AS avg_rpr,
      AVG(IF(is_in_window, conv, NULL)) AS avg_conv,
      100 * (SAFE_DIVIDE(AVG(IF(is_recent, rpr, NULL)), AVG(IF(is_before, rpr, NULL))) - 1) AS trend_pct
    FROM described
    GROUP BY page_name, content_category, price_tier
  ),
  sensitivity_of_the_categories AS (
    SELECT
      page_name,
      content_category,
      SAFE_DIVIDE(
        COVAR_POP(conv, price),
        STDDEV_POP(IF(price IS NULL, NULL, conv)) * STDDEV_POP(IF(conv IS NULL, NULL, price))
      ) AS price_sensitivity_corr
    FROM described
    WHERE is_in_window
    GROUP BY page_name, content_category
  )
SELECT
  figures.page_name,
  figures.content_category,
  figures.price_tier,
  figures.msg_count,
  figures.avg_rpr,
  figures.avg_conv,
  figures.trend_pct,
  CASE
    WHEN figures.trend_pct > 10 THEN 'RISING'
    WHEN figures.trend_pct < -10 THEN 'DECLINING'
    ELSE 'STABLE'
  END AS trend_direction,
  category.price_sensitivity_corr,
  FIRST_VALUE(figures.price_tier) OVER (
    PARTITION BY figures.page_name, figures.content_category
    ORDER BY figures.avg_rpr DESC, figures.price_tier
  ) AS best_price_tier
FROM figures_of_category_and_tier AS figures
LEFT JOIN sensitivity_of_the_categories AS category
  ON figures.page_name = category.page_name
  AND figures.content_category = category.content_category
WHERE figures.msg_count > 0;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.category_performance`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', 90)
) = 0 AS 'no message, no row';
