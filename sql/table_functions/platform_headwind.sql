-- Whether all pages together are weak: then a page's saturation is not its own fault.
--
-- Inputs:     the instant, as for day_deviations.
-- Guarantees: one row: TRUE when the EMV of all pages together was more than 20 % under its baseline, on average over the
--             last 7 days; FALSE when it was not, or when nothing is known.
-- Cost:       one read of 90 days in mass_messages, of all pages.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.platform_headwind`(p_as_of TIMESTAMP)
RETURNS TABLE<
  is_headwind BOOL
>
OPTIONS (description = 'Whether all pages together are 20 % under their baseline.')
AS
SELECT COALESCE(AVG(emv_deviation) < -0.2, FALSE) AS is_headwind
FROM `of-scheduler-proj.eros_scheduling_brain.day_deviations`(NULL, NULL, p_as_of, TRUE)
WHERE is_compared;

-- Tests
ASSERT NOT (
  SELECT is_headwind FROM `of-scheduler-proj.eros_scheduling_brain.platform_headwind`(TIMESTAMP '1990-01-01 00:00:00+00')
) AS 'nothing is known: no headwind';
