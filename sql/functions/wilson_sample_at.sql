-- The point at share u of the Wilson interval: the deterministic part of wilson_sample, so that a draw can be replayed.
--
-- Inputs:     counts of successes and failures as in wilson_score_bounds; u, clamped to [0, 1]; NULL u gives NULL.
-- Guarantees: lower_bound + u * (upper_bound - lower_bound), within the interval.
-- Cost:       reads no table; arithmetic only.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(
  successes INT64,
  failures INT64,
  u FLOAT64
)
RETURNS FLOAT64
OPTIONS (description = 'The point at share u of the 95 % Wilson score interval, u clamped to [0, 1].')
AS (
  (
    SELECT bounds.lower_bound + GREATEST(0.0, LEAST(1.0, u)) * (bounds.upper_bound - bounds.lower_bound)
    FROM (
      SELECT `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(successes, failures) AS bounds
    )
  )
);

-- Tests
ASSERT ROUND(`of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(50, 50, 0.0), 6) = 0.403830 AS 'u = 0';
ASSERT ROUND(`of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(50, 50, 0.5), 6) = 0.5 AS 'u = 0.5';
ASSERT ROUND(`of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(50, 50, 1.0), 6) = 0.596170 AS 'u = 1';
ASSERT `of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(0, 0, 0.25) = 0.25 AS 'no observation: u itself';
ASSERT `of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(0, 0, 7.0) = 1.0 AS 'u above 1 is 1';
ASSERT `of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(0, 0, -7.0) = 0.0 AS 'u below 0 is 0';
ASSERT `of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(1, 1, NULL) IS NULL AS 'NULL u gives NULL';
