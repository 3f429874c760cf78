-- Whether a creator has enough free captions to be queued for a day.
--
-- Inputs:     the share of its captions that is locked, in percent, as caption_saturation gives it; NULL for no figure.
-- Guarantees: TRUE below 80 %, and without a figure.
-- Cost:       reads no table.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.is_unsaturated`(p_saturation_pct FLOAT64)
RETURNS BOOL
OPTIONS (description = 'Whether less than 80 % of the captions of a creator are locked, or nobody knows.')
AS (
  COALESCE(p_saturation_pct, 0) < 80
);

-- Tests
ASSERT `of-scheduler-proj.eros_scheduling_brain.is_unsaturated`(79.9) AS 'below';
ASSERT NOT `of-scheduler-proj.eros_scheduling_brain.is_unsaturated`(80) AS 'at the limit';
ASSERT `of-scheduler-proj.eros_scheduling_brain.is_unsaturated`(NULL) AS 'no figure';
