-- Errors of single creators: one row per creator that a daily run could not handle.
--
-- Guarantees: append-only; rows expire after 90 days.
-- Cost:       partitioned by the day of the error.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.creator_processing_errors` (
  job_id STRING NOT NULL OPTIONS (description = 'The run, as in etl_job_runs.'),
  page_name STRING NOT NULL OPTIONS (description = 'The creator; SYSTEM_CLEANUP for the sweep.'),
  execution_date DATE OPTIONS (description = 'The Los Angeles day that the run was for.'),
  error_message STRING OPTIONS (description = 'The error.'),
  error_time TIMESTAMP NOT NULL OPTIONS (description = 'When it happened; the partition column.')
)
PARTITION BY DATE(error_time)
CLUSTER BY job_id, page_name
OPTIONS (
  description = 'Errors of single creators in the daily automation.',
  partition_expiration_days = 90,
  labels = [('system', 'eros'), ('component', 'automation'), ('retention', '90d')]
);
