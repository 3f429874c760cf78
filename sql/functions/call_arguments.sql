-- The arguments of the CALL that does a run's work again, as SQL.
--
-- Inputs:     the run's job, its Los Angeles day, and when it began.
-- Guarantees: the day of a daily run, where it has none the day on which it began; nothing for any other job.
-- Cost:       reads no table.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.call_arguments`(
  p_job_name STRING,
  p_execution_date DATE,
  p_job_start_time TIMESTAMP
)
RETURNS STRING
OPTIONS (description = 'The arguments of the CALL that does the work of a run again.')
AS (
  IF(
    p_job_name = 'run_daily_automation',
    FORMAT("DATE '%t'", COALESCE(p_execution_date, DATE(p_job_start_time, 'America/Los_Angeles'))),
    ''
  )
);

-- Tests
ASSERT `of-scheduler-proj.eros_scheduling_brain.call_arguments`('run_daily_automation', DATE '2026-06-14', TIMESTAMP '2026-06-15 03:05:00-07') = "DATE '2026-06-14'" AS 'the day';
ASSERT `of-scheduler-proj.eros_scheduling_brain.call_arguments`('run_daily_automation', NULL, TIMESTAMP '2026-06-15 03:05:00-07') = "DATE '2026-06-15'" AS 'no day';
ASSERT `of-scheduler-proj.eros_scheduling_brain.call_arguments`('sweep_expired_caption_locks', DATE '2026-06-14', NULL) = '' AS 'no argument';
