-- The five account sizes: from which revenue on, and what a page of each may send.
--
-- Inputs:     none.
-- Guarantees: one row per tier; revenue_from of one is where the one below ends, in US dollars in the window.
-- Cost:       reads no table.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.account_size_tiers`()
RETURNS TABLE<
  size_tier STRING,
  revenue_from FLOAT64,
  revenue_below FLOAT64,
  daily_ppv_target_min INT64,
  daily_ppv_target_max INT64,
  daily_bump_target INT64,
  min_ppv_gap_minutes INT64,
  saturation_tolerance FLOAT64
>
OPTIONS (description = 'Account sizes with their revenue bounds, daily targets and tolerance of saturation.')
AS
SELECT
  'MICRO' AS size_tier,
  CAST('-inf' AS FLOAT64) AS revenue_from,
  5000.0 AS revenue_below,
  2 AS daily_ppv_target_min,
  4 AS daily_ppv_target_max,
  3 AS daily_bump_target,
  150 AS min_ppv_gap_minutes,
  0.4 AS saturation_tolerance
UNION ALL SELECT 'SMALL', 5000.0, 25000.0, 3, 5, 4, 120, 0.4
UNION ALL SELECT 'MEDIUM', 25000.0, 100000.0, 5, 8, 6, 90, 0.5
UNION ALL SELECT 'LARGE', 100000.0, 500000.0, 8, 12, 10, 75, 0.6
UNION ALL SELECT 'MEGA', 500000.0, CAST('inf' AS FLOAT64), 10, 15, 12, 60, 0.7;

-- Tests
ASSERT (
  SELECT STRING_AGG(size_tier ORDER BY revenue_from)
  FROM `of-scheduler-proj.eros_scheduling_brain.account_size_tiers`()
) = 'MICRO,SMALL,MEDIUM,LARGE,MEGA' AS 'tiers by revenue';
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.account_size_tiers`() AS lower_tier
  JOIN `of-scheduler-proj.eros_scheduling_brain.account_size_tiers`() AS higher_tier
    ON lower_tier.revenue_below = higher_tier.revenue_from
) = 4 AS 'no gap between tiers';
