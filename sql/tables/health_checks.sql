-- What each look of check_health found: one row per check where all is well, otherwise one per finding.
--
-- Guarantees: append-only; of a check the 50 worst findings, and a row with the subject 'more' that counts the rest; rows
--             expire after 90 days.
-- Cost:       partitioned by the day of the look; some 700 rows per day while all is well.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.health_checks` (
  checked_at TIMESTAMP NOT NULL OPTIONS (description = 'The instant of the look; the same for all of its rows.'),
  check_name STRING NOT NULL OPTIONS (description = 'The question, which has the name of its table function.'),
  subject STRING OPTIONS (description = 'The page, job, schedule or table of a finding; NULL where all is well.'),
  status STRING NOT NULL OPTIONS (description = 'OK, WARNING or CRITICAL.'),
  details STRING OPTIONS (description = 'What was found, in a sentence.'),
  first_seen_at TIMESTAMP OPTIONS (description = 'The first of the looks in a row that found this; NULL where all is well.'),
  notified_at TIMESTAMP OPTIONS (description = 'When a failed transfer run last told this; NULL if none did.')
)
PARTITION BY DATE(checked_at)
CLUSTER BY check_name, status
OPTIONS (
  description = 'What each look of check_health found, a row per check or finding.',
  partition_expiration_days = 90,
  labels = [('system', 'eros'), ('component', 'monitoring'), ('retention', '90d')]
);
