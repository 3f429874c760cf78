-- The 95 % Wilson score interval of a success rate, and a bonus that shrinks with the number of observations.
--
-- Inputs:     counts of successes and failures; NULL or negative counts as 0.
-- Guarantees: 0 <= lower_bound <= upper_bound <= 1; exploration_bonus = 1 / sqrt(n + 1) with n = successes + failures;
--             no observation gives (0, 1, 1).
-- Source:     E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927), with
--             z = 1.96: centre (p + z²/2n) / (1 + z²/n), half width z sqrt(p (1 - p) / n + z²/4n²) / (1 + z²/n).
-- Cost:       reads no table; arithmetic only.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(
  successes INT64,
  failures INT64
)
RETURNS STRUCT<lower_bound FLOAT64, upper_bound FLOAT64, exploration_bonus FLOAT64>
OPTIONS (description = '95 % Wilson score interval within [0, 1], and the exploration bonus 1 / sqrt(n + 1).')
AS (
  (
    WITH
      counts_without_nulls AS (
        SELECT
          CAST(GREATEST(IFNULL(successes, 0), 0) AS FLOAT64) AS won,
          CAST(GREATEST(IFNULL(successes, 0), 0) AS FLOAT64)
            + CAST(GREATEST(IFNULL(failures, 0), 0) AS FLOAT64) AS n
      ),
      rate_and_its_correction AS (
        SELECT n, SAFE_DIVIDE(won, n) AS p, SAFE_DIVIDE(1.96 * 1.96, n) AS z2_by_n
        FROM counts_without_nulls
      ),
      interval_by_centre AS (
        SELECT
          n,
          SAFE_DIVIDE(p + 0.5 * z2_by_n, 1.0 + z2_by_n) AS centre,
          SAFE_DIVIDE(
            -- z² (p (1 - p) / n + z² / 4n²) = z²/n p (1 - p) + (z²/n)² / 4
            SQRT(z2_by_n * p * (1.0 - p) + 0.25 * z2_by_n * z2_by_n),
            1.0 + z2_by_n
          ) AS half_width
        FROM rate_and_its_correction
      )
    SELECT
      STRUCT(
        IF(n = 0.0, 0.0, GREATEST(0.0, centre - half_width)) AS lower_bound,
        IF(n = 0.0, 1.0, LEAST(1.0, centre + half_width)) AS upper_bound,
        SAFE_DIVIDE(1.0, SQRT(n + 1.0)) AS exploration_bonus
      )
    FROM interval_by_centre
  )
);

-- Tests
ASSERT (
  SELECT ROUND(b.lower_bound, 6) = 0.403830 AND ROUND(b.upper_bound, 6) = 0.596170
    AND ROUND(b.exploration_bonus, 6) = 0.099504
  FROM (SELECT `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(50, 50) AS b)
) AS '(50, 50)';
ASSERT (
  SELECT ROUND(b.lower_bound, 6) = 0.206543 AND b.upper_bound = 1.0 AND ROUND(b.exploration_bonus, 6) = 0.707107
  FROM (SELECT `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(1, 0) AS b)
) AS '(1, 0)';
ASSERT (
  SELECT b.lower_bound = 0.0 AND ROUND(b.upper_bound, 6) = 0.793457
  FROM (SELECT `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(0, 1) AS b)
) AS '(0, 1)';
ASSERT (
  SELECT b.lower_bound = 0.0 AND b.upper_bound = 1.0 AND b.exploration_bonus = 1.0
  FROM (SELECT `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(0, 0) AS b)
) AS 'nothing observed';
ASSERT (
  SELECT b.lower_bound = 0.0 AND b.upper_bound = 1.0 AND b.exploration_bonus = 1.0
  FROM (SELECT `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(NULL, -3) AS b)
) AS 'NULL and negative count as 0';
ASSERT (
  SELECT b.lower_bound > 0.999999 AND b.upper_bound = 1.0
  FROM (SELECT `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(9000000000000000000, 0) AS b)
) AS 'huge counts stay within [0, 1]';
