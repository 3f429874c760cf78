-- The behavioural segment of a page: behavioral_segments for one page, now.
--
-- Inputs:     the page; the length of the window in days, which ends at the current instant.
-- Guarantees: one row; none for a page without a message in the window that was sent to anybody.
-- Cost:       one read of the window in mass_messages, and of the captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.analyze_behavioral_segments`(
  p_page_name STRING,
  p_lookback_days INT64
)
RETURNS TABLE<
  segment_label STRING,
  avg_rpr FLOAT64,
  avg_conv FLOAT64,
  rpr_price_slope FLOAT64,
  rpr_price_corr FLOAT64,
  conv_price_elasticity_proxy FLOAT64,
  category_entropy FLOAT64,
  sample_size INT64
>
OPTIONS (description = 'Behavioural segment of a page with its price statistics.')
AS
SELECT
  found.segment_label,
  found.avg_rpr,
  found.avg_conv,
  found.rpr_price_slope,
  found.rpr_price_corr,
  found.conv_price_elasticity_proxy,
  found.category_entropy,
  found.sample_size
FROM `of-scheduler-proj.eros_scheduling_brain.behavioral_segments`(
  p_page_name,
  p_page_name,
  CURRENT_TIMESTAMP(),
  p_lookback_days
) AS found
WHERE found.page_name = p_page_name;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.analyze_behavioral_segments`('no such page', 90)
) = 0 AS 'an unknown page gives no row';
