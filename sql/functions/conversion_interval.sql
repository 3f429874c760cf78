-- The 95 % Wilson interval of a conversion: purchases among views.
--
-- Inputs:     purchases, which the messages hold as a FLOAT64, and views; purchases beyond the views count as views.
-- Guarantees: 0 <= lower <= upper <= 1; no view gives (0, 1).
-- Source:     wilson_score_bounds.
-- Cost:       reads no table; arithmetic only.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.conversion_interval`(
  p_purchases FLOAT64,
  p_views INT64
)
RETURNS STRUCT<lower FLOAT64, upper FLOAT64>
OPTIONS (description = 'The 95 % Wilson interval of purchases among views.')
AS (
  (
    SELECT STRUCT(bounds.lower_bound AS lower, bounds.upper_bound AS upper)
    FROM (
      SELECT
        `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(
          LEAST(CAST(ROUND(p_purchases) AS INT64), p_views),
          p_views - LEAST(CAST(ROUND(p_purchases) AS INT64), p_views)
        ) AS bounds
    )
  )
);

-- Tests
ASSERT (
  SELECT ROUND(ci.lower, 6) = 0.403830 AND ROUND(ci.upper, 6) = 0.596170
  FROM (SELECT `of-scheduler-proj.eros_scheduling_brain.conversion_interval`(50.0, 100) AS ci)
) AS '50 of 100';
ASSERT (
  SELECT ci.lower = 0.0 AND ci.upper = 1.0
  FROM (SELECT `of-scheduler-proj.eros_scheduling_brain.conversion_interval`(0.0, 0) AS ci)
) AS 'no view';
