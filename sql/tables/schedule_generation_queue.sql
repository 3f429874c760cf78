-- The creators that need a new schedule: one row per creator and day.
--
-- Guarantees: a creator is queued at most once a day; rows expire after 90 days.
-- Cost:       partitioned by execution_date.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` (
  page_name STRING NOT NULL OPTIONS (description = 'The creator.'),
  execution_date DATE NOT NULL OPTIONS (description = 'The Los Angeles day; the partition column.'),
  saturation_pct FLOAT64 OPTIONS (description = 'Share of the usable captions that are locked, in percent; NULL where there is no usable figure.'),
  queued_at TIMESTAMP NOT NULL OPTIONS (description = 'When the creator was queued.'),
  processed_at TIMESTAMP OPTIONS (description = 'When the schedule was generated.'),
  status STRING NOT NULL OPTIONS (description = 'PENDING, PROCESSING, COMPLETED or FAILED.'),
  schedule_id STRING OPTIONS (description = 'The schedule that was generated.'),
  error_message STRING OPTIONS (description = 'Why none was generated.')
)
PARTITION BY execution_date
CLUSTER BY status, page_name
OPTIONS (
  description = 'Creators queued for schedule generation, at most once a day each.',
  partition_expiration_days = 90,
  labels = [('system', 'eros'), ('component', 'automation'), ('retention', '90d')]
);
