-- The sweeps of caption locks: one row per sweep, with what it cleaned.
--
-- Guarantees: append-only; rows expire after 30 days.
-- Cost:       partitioned by the day of the sweep; 24 rows per day.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.lock_sweep_log` (
  sweep_id STRING NOT NULL OPTIONS (description = 'The sweep; the job_id of its run in etl_job_runs.'),
  sweep_time TIMESTAMP NOT NULL OPTIONS (description = 'When it ran; the partition column.'),
  locks_expired_stale INT64 OPTIONS (description = 'Locks more than 7 days past their date, or without one and 7 days old.'),
  locks_expired_past_date INT64 OPTIONS (description = 'Locks whose date passed within the last 7 days.'),
  total_locks_cleaned INT64 OPTIONS (description = 'Both together.'),
  sweep_duration_seconds FLOAT64 OPTIONS (description = 'How long it took, in seconds.')
)
PARTITION BY DATE(sweep_time)
OPTIONS (
  description = 'One row for each sweep of expired caption locks.',
  partition_expiration_days = 30,
  labels = [('system', 'eros'), ('component', 'locks'), ('retention', '30d')]
);
