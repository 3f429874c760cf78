-- What a person should look at: one row per alert, open until it is acknowledged.
--
-- Guarantees: append-only except for the acknowledgement; rows expire after 90 days.
-- Cost:       partitioned by the day of the alert.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.automation_alerts` (
  alert_id STRING NOT NULL OPTIONS (description = 'The alert.'),
  alert_time TIMESTAMP NOT NULL OPTIONS (description = 'When it was raised; the partition column.'),
  alert_level STRING NOT NULL OPTIONS (description = 'INFO, WARNING or CRITICAL.'),
  alert_source STRING NOT NULL OPTIONS (description = 'The procedure that raised it.'),
  alert_message STRING OPTIONS (description = 'What happened, for a person.'),
  job_id STRING OPTIONS (description = 'The run that raised it, as in etl_job_runs.'),
  acknowledged BOOL DEFAULT FALSE NOT NULL OPTIONS (description = 'Whether somebody has acknowledged it.'),
  acknowledged_at TIMESTAMP OPTIONS (description = 'When that was.'),
  acknowledged_by STRING OPTIONS (description = 'Who it was.')
)
PARTITION BY DATE(alert_time)
CLUSTER BY alert_level, alert_source, acknowledged
OPTIONS (
  description = 'Alerts of the automation, with their acknowledgement.',
  partition_expiration_days = 90,
  labels = [('system', 'eros'), ('component', 'automation'), ('retention', '90d')]
);
