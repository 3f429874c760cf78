-- How the fans of each page behave: what a message earns, and how that changes with its price.
--
-- Inputs:     as account_sizes.
-- Guarantees: one row per page with a message in the window that was sent to anybody. Slope and correlation are
--             NULL where the prices, or the figures, do not vary.
-- Source:     least squares slope = covariance / variance of the price; correlation by Pearson; entropy by Shannon, in
--             bits; the elasticity is the slope of ln(conv) on ln(price).
-- Cost:       one read of the window in mass_messages, and of the captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.behavioral_segments`(
  p_first_page STRING,
  p_last_page STRING,
  p_as_of TIMESTAMP,
  p_lookback_days INT64
)
RETURNS TABLE<
  page_name STRING,
  segment_label STRING,
  avg_rpr FLOAT64,
  avg_conv FLOAT64,
  rpr_price_slope FLOAT64,
  rpr_price_corr FLOAT64,
  conv_price_elasticity_proxy FLOAT64,
  category_entropy FLOAT64,
  sample_size INT64
>
OPTIONS (description = 'Behavioural segment of one page or all pages, with the price statistics that it is based on.')
AS
WITH
  described AS (
    SELECT sent.page_name, sent.price, sent.rpr, sent.conv, sent.content_category
    FROM `of-scheduler-proj.eros_scheduling_brain.described_messages`(
      p_first_page,
      p_last_page,
      TIMESTAMP_SUB(p_as_of, INTERVAL p_lookback_days DAY),
      p_as_of
    ) AS sent
  ),
  figures_of_the_pages AS (
    SELECT
      page_name,
      COUNT(*) AS sample_size,
      AVG(rpr) AS avg_rpr,
      AVG(conv) AS avg_conv,
      COVAR_POP(rpr, price) AS rpr_price_covariance,
      VAR_POP(price) AS price_variance,
      STDDEV_POP(IF(price IS NULL, NULL, rpr)) AS rpr_deviation,
      STDDEV_POP(price) AS price_deviation,
      COVAR_POP(
        IF(conv > 0 AND price > 0, LN(conv), NULL),
        IF(conv > 0 AND price > 0, LN(price), NULL)
      ) AS log_covariance,
      VAR_POP(IF(conv > 0 AND price > 0, LN(price), NULL)) AS log_price_variance
    FROM described
    GROUP BY page_name
  ),
  shares_of_the_categories AS (
    SELECT
      page_name,
      SAFE_DIVIDE(COUNT(*), SUM(COUNT(*)) OVER (PARTITION BY page_name)) AS share
    FROM described
    WHERE content_category IS NOT NULL
    GROUP BY page_name, content_category
  ),
  entropy_of_the_pages AS (
    SELECT page_name, SUM(-share * LOG(share, 2)) AS category_entropy
    FROM shares_of_the_categories
    GROUP BY page_name
  )
SELECT
  page.page_name,
  CASE
    WHEN page.sample_size < 20 THEN 'EXPLORATORY'
    WHEN page.avg_rpr < 0.5 THEN 'BUDGET'
    WHEN page.avg_rpr < 2 THEN 'STANDARD'
    WHEN page.avg_rpr < 5 THEN 'PREMIUM'
    ELSE 'LUXURY'
  END AS segment_label,
  page.avg_rpr,
  page.avg_conv,
  SAFE_DIVIDE(page.rpr_price_covariance, page.price_variance) AS rpr_price_slope,
  SAFE_DIVIDE(page.rpr_price_covariance, page.rpr_deviation * page.price_deviation) AS rpr_price_corr,
  SAFE_DIVIDE(page.log_covariance, page.log_price_variance) AS conv_price_elasticity_proxy,
  COALESCE(entropy.category_entropy, 0.0) AS category_entropy,
  page.sample_size
FROM figures_of_the_pages AS page
LEFT JOIN entropy_of_the_pages AS entropy
  ON page.page_name = entropy.page_name;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.behavioral_segments`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', 90)
) = 0 AS 'no message, no row';
