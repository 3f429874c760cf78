-- Each group of a page's messages against all its other messages: by psychological trigger, and by weekday.
--
-- Inputs:     as account_sizes.
-- Guarantees: one row per page, dimension ('psychological_trigger' or 'day_of_week_la', 1 = Sunday) and member that
--             has a message in the window which was sent to anybody. Messages without a trigger have no separate row
--             but are among the others. Statistics are NULL where a variance is 0 or one side has too few messages;
--             significant means |statistic| >= 1.96 with at least 30 messages on both sides.
-- Source:     Welch's t for rpr: B. L. Welch, Biometrika 34 (1947). Two-proportion z with pooled variance for conv.
--             Mean and spread of the others are combined from the other groups, not subtracted from the whole, which
--             would lose digits: Chan, Golub and LeVeque, American Statistician 37 (1983).
-- Cost:       one read of the window in mass_messages, and of the captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.group_comparisons`(
  p_first_page STRING,
  p_last_page STRING,
  p_as_of TIMESTAMP,
  p_lookback_days INT64
)
RETURNS TABLE<
  page_name STRING,
  dimension STRING,
  member STRING,
  msg_count INT64,
  avg_rpr FLOAT64,
  avg_conv FLOAT64,
  rpr_lift_pct FLOAT64,
  conv_lift_pct FLOAT64,
  rpr_t FLOAT64,
  conv_z FLOAT64,
  rpr_stat_sig BOOL,
  conv_stat_sig BOOL,
  purchases FLOAT64,
  views INT64
>
OPTIONS (description = 'Triggers and weekdays of a page, each compared with all its other messages.')
AS
WITH
  described AS (
    SELECT
      sent.page_name,
      sent.psychological_trigger,
      CAST(EXTRACT(DAYOFWEEK FROM sent.sending_time AT TIME ZONE 'America/Los_Angeles') AS STRING) AS day_of_week_la,
      sent.rpr,
      sent.conv,
      IF(sent.conv IS NULL, NULL, sent.viewed_count) AS views,
      IF(sent.conv IS NULL, NULL, LEAST(sent.purchased_count, sent.viewed_count)) AS purchases
    FROM `of-scheduler-proj.eros_scheduling_brain.described_messages`(
      p_first_page,
      p_last_page,
      TIMESTAMP_SUB(p_as_of, INTERVAL p_lookback_days DAY),
      p_as_of
    ) AS sent
  ),
  figures_of_the_groups AS (
    SELECT
      page_name,
      'psychological_trigger' AS dimension,
      psychological_trigger AS member,
      COUNT(*) AS messages,
      AVG(rpr) AS mean_rpr,
      VAR_POP(rpr) * COUNT(*) AS squares_rpr,
      COUNT(conv) AS viewed_messages,
      AVG(conv) AS mean_conv,
      COALESCE(SUM(views), 0) AS views,
      COALESCE(SUM(purchases), 0.0) AS purchases
    FROM described
    GROUP BY page_name, psychological_trigger
    UNION ALL
    SELECT
      page_name,
      'day_of_week_la',
      day_of_week_la,
      COUNT(*),
      AVG(rpr),
      VAR_POP(rpr) * COUNT(*),
      COUNT(conv),
      AVG(conv),
      COALESCE(SUM(views), 0),
      COALESCE(SUM(purchases), 0.0)
    FROM described
    GROUP BY page_name, day_of_week_la
  ),
  means_of_the_others AS (
    SELECT
      this.page_name,
      this.dimension,
      this.member,
      SUM(other.messages) AS messages,
      SAFE_DIVIDE(SUM(other.messages * other.mean_rpr), SUM(other.messages)) AS mean_rpr,
      SUM(other.viewed_messages) AS viewed_messages,
      SAFE_DIVIDE(SUM(other.viewed_messages * other.mean_conv), SUM(other.viewed_messages)) AS mean_conv,
      SUM(other.views) AS views,
      SUM(other.purchases) AS purchases
    FROM figures_of_the_groups AS this
    JOIN figures_of_the_groups AS other
      ON this.page_name = other.page_name
      AND this.dimension = other.dimension
      AND this.member != COALESCE(other.member, '')
    GROUP BY this.page_name, this.dimension, this.member
  ),
  spread_of_the_others AS (
    SELECT
      mean.page_name,
      mean.dimension,
      mean.member,
      SUM(other.squares_rpr + other.messages * POW(other.mean_rpr - mean.mean_rpr, 2)) AS squares_rpr
    FROM means_of_the_others AS mean
    JOIN figures_of_the_groups AS other
      ON mean.page_name = other.page_name
      AND mean.dimension = other.dimension
      AND mean.member != COALESCE(other.member, '')
    GROUP BY mean.page_name, mean.dimension, mean.member
  ),
  statistics_of_the_groups AS (
    SELECT
      this.page_name,
      this.dimension,
      this.member,
      this.messages,
      this.mean_rpr,
      this.mean_conv,
      this.viewed_messages,
      this.purchases,
      this.views,
      mean.messages AS other_messages,
      mean.viewed_messages AS other_viewed_messages,
      mean.mean_rpr AS other_mean_rpr,
      mean.mean_conv AS other_mean_conv,
      SAFE_DIVIDE(
        this.mean_rpr - mean.mean_rpr,
        SQRT(
          SAFE_DIVIDE(SAFE_DIVIDE(this.squares_rpr, this.messages - 1), this.messages)
          + SAFE_DIVIDE(SAFE_DIVIDE(spread.squares_rpr, mean.messages - 1), mean.messages)
        )
      ) AS rpr_t,
      SAFE_DIVIDE(this.purchases, this.views) - SAFE_DIVIDE(mean.purchases, mean.views) AS difference_of_shares,
      SAFE_DIVIDE(this.purchases + mean.purchases, this.views + mean.views) AS pooled_share,
      SAFE_DIVIDE(1, this.views) + SAFE_DIVIDE(1, mean.views) AS weight_of_the_views
    FROM figures_of_the_groups AS this
    LEFT JOIN means_of_the_others AS mean
      ON this.page_name = mean.page_name AND this.dimension = mean.dimension AND this.member = mean.member
    LEFT JOIN spread_of_the_others AS spread
      ON this.page_name = spread.page_name AND this.dimension = spread.dimension AND this.member = spread.member
    WHERE this.member IS NOT NULL
  ),
  tested_groups AS (
    SELECT
      page_name,
      dimension,
      member,
      messages,
      mean_rpr,
      mean_conv,
      viewed_messages,
      purchases,
      views,
      other_messages,
      other_viewed_messages,
      other_mean_rpr,
      other_mean_conv,
      rpr_t,
      SAFE_DIVIDE(
        difference_of_shares,
        SQRT(GREATEST(0.0, pooled_share * (1 - pooled_share)) * weight_of_the_views)
      ) AS conv_z
    FROM statistics_of_the_groups
  )
SELECT
  page_name,
  dimension,
  member,
  messages AS msg_count,
  mean_rpr AS avg_rpr,
  mean_conv AS avg_conv,
  100 * (SAFE_DIVIDE(mean_rpr, other_mean_rpr) - 1) AS rpr_lift_pct,
  100 * (SAFE_DIVIDE(mean_conv, other_mean_conv) - 1) AS conv_lift_pct,
  rpr_t,
  conv_z,
  COALESCE(ABS(rpr_t) >= 1.96 AND LEAST(messages, other_messages) >= 30, FALSE) AS rpr_stat_sig,
  COALESCE(ABS(conv_z) >= 1.96 AND LEAST(viewed_messages, other_viewed_messages) >= 30, FALSE) AS conv_stat_sig,
  purchases,
  views
FROM tested_groups;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.group_comparisons`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', 90)
) = 0 AS 'no message, no row';
