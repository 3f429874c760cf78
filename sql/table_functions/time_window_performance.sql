-- How each hour of weekdays and weekends in Los Angeles earns, by page.
--
-- Inputs:     as account_sizes.
-- Guarantees: one row per page, kind of day and hour with a message in the window that was sent to anybody.
-- Cost:       one read of the window in mass_messages.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.time_window_performance`(
  p_first_page STRING,
  p_last_page STRING,
  p_as_of TIMESTAMP,
  p_lookback_days INT64
)
RETURNS TABLE<
  page_name STRING,
  day_type STRING,
  hour_la INT64,
  n INT64,
  avg_rpr FLOAT64,
  avg_conv FLOAT64,
  confidence STRING
>
OPTIONS (description = 'Hours of weekdays and weekends in Los Angeles of one page or all pages, with what they earn.')
AS
WITH
  messages_by_their_hour AS (
    SELECT
      sent.page_name,
      IF(
        EXTRACT(DAYOFWEEK FROM sent.sending_time AT TIME ZONE 'America/Los_Angeles') IN (1, 7),
        'Weekend',
        'Weekday'
      ) AS day_type,
      EXTRACT(HOUR FROM sent.sending_time AT TIME ZONE 'America/Los_Angeles') AS hour_la,
      sent.rpr,
      sent.conv
    FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
      p_first_page,
      p_last_page,
      TIMESTAMP_SUB(p_as_of, INTERVAL p_lookback_days DAY),
      p_as_of
    ) AS sent
    WHERE sent.sent_count > 0
  )
SELECT
  page_name,
  day_type,
  hour_la,
  COUNT(*) AS n,
  AVG(rpr) AS avg_rpr,
  AVG(conv) AS avg_conv,
  CASE
    WHEN COUNT(*) >= 10 THEN 'HIGH_CONF'
    WHEN COUNT(*) >= 5 THEN 'MED_CONF'
    ELSE 'LOW_CONF'
  END AS confidence
FROM messages_by_their_hour
GROUP BY page_name, day_type, hour_la;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.time_window_performance`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', 90)
) = 0 AS 'no message, no row';
