-- The weekdays of a page, each against the other days: group_comparisons for one page, now.
--
-- Inputs:     the page; the length of the window in days, which ends at the current instant.
-- Guarantees: one row per weekday (1 = Sunday) with a message.
-- Cost:       one read of the window in mass_messages, and of the captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.analyze_day_patterns`(
  p_page_name STRING,
  p_lookback_days INT64
)
RETURNS TABLE<
  day_of_week_la INT64,
  n INT64,
  avg_rpr FLOAT64,
  avg_conv FLOAT64,
  t_rpr_approx FLOAT64,
  rpr_stat_sig BOOL
>
OPTIONS (description = 'Weekdays of a page in Los Angeles, each against its other days.')
AS
SELECT
  CAST(found.member AS INT64) AS day_of_week_la,
  found.msg_count AS n,
  found.avg_rpr,
  found.avg_conv,
  found.rpr_t AS t_rpr_approx,
  found.rpr_stat_sig
FROM `of-scheduler-proj.eros_scheduling_brain.group_comparisons`(
  p_page_name,
  p_page_name,
  CURRENT_TIMESTAMP(),
  p_lookback_days
) AS found
WHERE found.page_name = p_page_name
  AND found.dimension = 'day_of_week_la';

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.analyze_day_patterns`('no such page', 90)
) = 0 AS 'an unknown page gives no row';
