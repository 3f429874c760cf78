-- What caption_bandit_stats should contain at an instant: successes and failures of each caption on each page.
--
-- Inputs:     the instant. A message counts when viewed_count > 0 and it was sent in the 90 days before. It is a success
--             when its EMV is above the median EMV of its page's messages of the last 30 days, else a failure, also where
--             the page has sent none in 30 days.
-- Guarantees: one row per page and caption with a message that counts. Computed from the messages alone, so late
--             views and purchases count and nothing counts twice. Figures are rounded to 9 decimals: a sum of floating
--             point numbers in another order would otherwise differ in its last digits and look like a change.
-- Cost:       one read of 90 days of mass_messages and of caption_bank.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.caption_performance`(p_as_of TIMESTAMP)
RETURNS TABLE<
  caption_id INT64,
  page_name STRING,
  successes INT64,
  failures INT64,
  total_observations INT64,
  total_revenue FLOAT64,
  avg_conversion_rate FLOAT64,
  avg_emv FLOAT64,
  last_emv_observed FLOAT64,
  confidence_lower_bound FLOAT64,
  confidence_upper_bound FLOAT64,
  exploration_score FLOAT64,
  last_used TIMESTAMP,
  performance_percentile INT64
>
OPTIONS (description = 'The rows that caption_bandit_stats should hold at an instant.')
AS
WITH
  messages_that_count AS (
    SELECT
      sent.page_name,
      sent.caption_id,
      sent.row_id,
      sent.sending_time,
      sent.sent_count,
      sent.purchased_count,
      sent.earnings,
      sent.emv
    FROM `of-scheduler-proj.eros_scheduling_brain.captioned_messages`(
      NULL,
      NULL,
      TIMESTAMP_SUB(p_as_of, INTERVAL 90 DAY),
      p_as_of
    ) AS sent
    WHERE sent.viewed_count > 0
  ),
  medians_of_the_pages AS (
    SELECT DISTINCT page_name, PERCENTILE_CONT(emv, 0.5) OVER (PARTITION BY page_name) AS median_emv
    FROM messages_that_count
    WHERE sending_time >= TIMESTAMP_SUB(p_as_of, INTERVAL 30 DAY)
  ),
  totals_of_the_captions AS (
    SELECT
      sent.page_name,
      sent.caption_id,
      1 + COUNTIF(sent.emv > page.median_emv) AS successes,
      1 + COUNT(*) - COUNTIF(sent.emv > page.median_emv) AS failures,
      COUNT(*) AS total_observations,
      ROUND(SUM(sent.earnings), 9) AS total_revenue,
      ROUND(SAFE_DIVIDE(SUM(sent.purchased_count), SUM(sent.sent_count)), 9) AS avg_conversion_rate,
      ROUND(AVG(sent.emv), 9) AS avg_emv,
      ROUND(ARRAY_AGG(sent.emv ORDER BY sent.sending_time DESC, sent.row_id DESC LIMIT 1)[OFFSET(0)], 9)
        AS last_emv_observed,
      MAX(sent.sending_time) AS last_used
    FROM messages_that_count AS sent
    LEFT JOIN medians_of_the_pages AS page
      ON sent.page_name = page.page_name
    WHERE sent.caption_id IS NOT NULL
    GROUP BY sent.page_name, sent.caption_id
  ),
  totals_with_their_interval AS (
    SELECT
      total.page_name,
      total.caption_id,
      total.successes,
      total.failures,
      total.total_observations,
      total.total_revenue,
      total.avg_conversion_rate,
      total.avg_emv,
      total.last_emv_observed,
      total.last_used,
      `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(total.successes, total.failures) AS bounds,
      PERCENT_RANK() OVER (PARTITION BY total.page_name ORDER BY total.avg_emv) AS rank_within_the_page
    FROM totals_of_the_captions AS total
  )
SELECT
  caption_id,
  page_name,
  successes,
  failures,
  total_observations,
  total_revenue,
  avg_conversion_rate,
  avg_emv,
  last_emv_observed,
  bounds.lower_bound AS confidence_lower_bound,
  bounds.upper_bound AS confidence_upper_bound,
  bounds.exploration_bonus AS exploration_score,
  last_used,
  CAST(ROUND(100 * rank_within_the_page) AS INT64) AS performance_percentile
FROM totals_with_their_interval;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.caption_performance`(TIMESTAMP '1990-01-01 00:00:00+00')
) = 0 AS 'no message, no row';
