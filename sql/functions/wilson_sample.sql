-- A draw for Thompson sampling: uniform within the 95 % Wilson score interval.
--
-- Inputs:     counts of successes and failures as in wilson_score_bounds.
-- Guarantees: a value within [lower_bound, upper_bound], drawn again for each row.
-- Cost:       reads no table; arithmetic only.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.wilson_sample`(successes INT64, failures INT64)
RETURNS FLOAT64
OPTIONS (description = 'A fresh uniform draw from the 95 % Wilson score interval.')
AS (
  `of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(successes, failures, RAND())
);

-- Tests
ASSERT (
  SELECT MIN(draw) >= 0.403829 AND MAX(draw) <= 0.596171
  FROM (
    SELECT `of-scheduler-proj.eros_scheduling_brain.wilson_sample`(50, 50) AS draw
    FROM UNNEST(GENERATE_ARRAY(1, 1000))
  )
) AS 'every draw lies within the interval';
ASSERT (
  SELECT COUNT(DISTINCT draw) > 900
  FROM (
    SELECT `of-scheduler-proj.eros_scheduling_brain.wilson_sample`(50, 50) AS draw
    FROM UNNEST(GENERATE_ARRAY(1, 1000))
  )
) AS 'each row has its own draw';
