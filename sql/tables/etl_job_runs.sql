-- The runs of the scheduled procedures: one row per run, opened at its start and closed at its end.
--
-- Guarantees: job_status is RUNNING until the run ends as SUCCESS, COMPLETED_WITH_ERRORS, COMPLETED_NO_WORK, SKIPPED
--             or FAILED; rows expire after 90 days.
-- Cost:       partitioned by the day of the start.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` (
  job_id STRING NOT NULL OPTIONS (description = 'The run.'),
  job_name STRING NOT NULL OPTIONS (description = 'The procedure that ran.'),
  job_start_time TIMESTAMP NOT NULL OPTIONS (description = 'When it began; the partition column.'),
  job_end_time TIMESTAMP OPTIONS (description = 'When it ended; NULL while it runs.'),
  job_status STRING NOT NULL OPTIONS (description = 'RUNNING, SUCCESS, COMPLETED_WITH_ERRORS, COMPLETED_NO_WORK, SKIPPED or FAILED.'),
  execution_date DATE OPTIONS (description = 'The Los Angeles day that it ran for.'),
  creators_processed INT64 OPTIONS (description = 'Creators that it handled.'),
  creators_failed INT64 OPTIONS (description = 'Creators that it could not handle.'),
  error_message STRING OPTIONS (description = 'The error that ended it; NULL where none did.'),
  job_duration_seconds FLOAT64 OPTIONS (description = 'From start to end, in seconds.')
)
PARTITION BY DATE(job_start_time)
CLUSTER BY job_name, job_status
OPTIONS (
  description = 'One row for each run of a scheduled procedure: when, how it ended, what it handled.',
  partition_expiration_days = 90,
  labels = [('system', 'eros'), ('component', 'automation'), ('retention', '90d')]
);
