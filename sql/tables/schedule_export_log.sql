-- The exports of schedules: one row per export, with its result.
--
-- Guarantees: append-only; rows expire after 90 days.
-- Cost:       partitioned by the day of the export.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.schedule_export_log` (
  schedule_id STRING NOT NULL OPTIONS (description = 'The schedule that was exported.'),
  page_name STRING NOT NULL OPTIONS (description = 'The page that it belongs to.'),
  export_timestamp TIMESTAMP NOT NULL OPTIONS (description = 'When the export began; the partition column.'),
  message_count INT64 OPTIONS (description = 'Messages in the export.'),
  execution_time_seconds FLOAT64 OPTIONS (description = 'How long it took, in seconds.'),
  status STRING OPTIONS (description = 'SUCCESS, PARTIAL or FAILED.'),
  error_message STRING OPTIONS (description = 'Why it did not succeed; NULL where it did.'),
  export_format STRING OPTIONS (description = 'CSV, SHEETS or JSON.'),
  exported_by STRING OPTIONS (description = 'Who, or what, asked for it.')
)
PARTITION BY DATE(export_timestamp)
CLUSTER BY page_name, status
OPTIONS (
  description = 'One row for each export of a schedule: when, how many messages, how it ended.',
  partition_expiration_days = 90,
  labels = [('system', 'eros'), ('component', 'export'), ('retention', '90d')]
);
