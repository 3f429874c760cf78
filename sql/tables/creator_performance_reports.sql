-- The daily report of each creator, made by analyze_creator_performance.
--
-- Guarantees: one row per page and day of a run; rows expire after 90 days.
-- Cost:       partitioned by execution_date.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.creator_performance_reports` (
  page_name STRING NOT NULL OPTIONS (description = 'The creator.'),
  execution_date DATE NOT NULL OPTIONS (description = 'The Los Angeles day; the partition column.'),
  job_id STRING NOT NULL OPTIONS (description = 'The run that made it, as in etl_job_runs.'),
  report JSON NOT NULL OPTIONS (description = 'The report.'),
  created_at TIMESTAMP NOT NULL OPTIONS (description = 'When it was made.')
)
PARTITION BY execution_date
CLUSTER BY page_name
OPTIONS (
  description = 'The performance report of each creator and day, as JSON.',
  partition_expiration_days = 90,
  labels = [('system', 'eros'), ('component', 'analyzer'), ('retention', '90d')]
);
