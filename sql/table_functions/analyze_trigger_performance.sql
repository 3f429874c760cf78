-- The psychological triggers of a page, each against all its other messages: group_comparisons for one page, now.
--
-- Inputs:     the page; the length of the window in days, which ends at the current instant.
-- Guarantees: one row per trigger with a message; conv_ci is the 95 % Wilson interval of purchases among views.
-- Cost:       one read of the window in mass_messages, and of the captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.analyze_trigger_performance`(
  p_page_name STRING,
  p_lookback_days INT64
)
RETURNS TABLE<
  psychological_trigger STRING,
  msg_count INT64,
  avg_rpr FLOAT64,
  avg_conv FLOAT64,
  rpr_lift_pct FLOAT64,
  conv_lift_pct FLOAT64,
  conv_stat_sig BOOL,
  rpr_stat_sig BOOL,
  conv_ci STRUCT<lower FLOAT64, upper FLOAT64>
>
OPTIONS (description = 'Psychological triggers of a page, each against all its other messages.')
AS
SELECT
  found.member AS psychological_trigger,
  found.msg_count,
  found.avg_rpr,
  found.avg_conv,
  found.rpr_lift_pct,
  found.conv_lift_pct,
  found.conv_stat_sig,
  found.rpr_stat_sig,
  `of-scheduler-proj.eros_scheduling_brain.conversion_interval`(found.purchases, found.views) AS conv_ci
FROM `of-scheduler-proj.eros_scheduling_brain.group_comparisons`(
  p_page_name,
  p_page_name,
  CURRENT_TIMESTAMP(),
  p_lookback_days
) AS found
WHERE found.page_name = p_page_name
  AND found.dimension = 'psychological_trigger';

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.analyze_trigger_performance`('no such page', 90)
) = 0 AS 'an unknown page gives no row';
