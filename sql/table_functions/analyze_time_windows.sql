-- The hours of a page: time_window_performance for one page, now.
--
-- Inputs:     the page; the length of the window in days, which ends at the current instant.
-- Guarantees: one row per kind of day and hour with a message.
-- Cost:       one read of the window in mass_messages.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.analyze_time_windows`(
  p_page_name STRING,
  p_lookback_days INT64
)
RETURNS TABLE<
  day_type STRING,
  hour_la INT64,
  n INT64,
  avg_rpr FLOAT64,
  avg_conv FLOAT64,
  confidence STRING
>
OPTIONS (description = 'Hours of weekdays and weekends of a page, with what they earn.')
AS
SELECT
  found.day_type,
  found.hour_la,
  found.n,
  found.avg_rpr,
  found.avg_conv,
  found.confidence
FROM `of-scheduler-proj.eros_scheduling_brain.time_window_performance`(
  p_page_name,
  p_page_name,
  CURRENT_TIMESTAMP(),
  p_lookback_days
) AS found
WHERE found.page_name = p_page_name;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.analyze_time_windows`('no such page', 90)
) = 0 AS 'an unknown page gives no row';
