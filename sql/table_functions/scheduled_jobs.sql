-- The scheduled jobs that write etl_job_runs, and what is expected of them.
--
-- Guarantees: longest_minutes is how long a run may take, longest_gap_hours how much time may pass between two runs that
--             did work, with the days on which the clocks change. check_health is not among them: its own runs are no
--             finding of any check.
-- Cost:       reads no table.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.scheduled_jobs`()
RETURNS TABLE<
  job_name STRING,
  longest_minutes INT64,
  longest_gap_hours INT64
>
OPTIONS (description = 'How long a run of each scheduled job may take, and how far apart its works may be.')
AS
SELECT job.job_name, job.longest_minutes, job.longest_gap_hours
FROM UNNEST([
  STRUCT('update_caption_performance' AS job_name, 10 AS longest_minutes, 8 AS longest_gap_hours),
  STRUCT('run_daily_automation', 30, 26),
  STRUCT('sweep_expired_caption_locks', 5, 3)
]) AS job;
