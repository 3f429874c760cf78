-- Leases of work that must not overlap: one row per lease, taken by an UPDATE inside a transaction.
--
-- Guarantees: a lease is taken by an UPDATE of its row, never by an INSERT: inserts do not conflict in BigQuery, updates
--             of one row do. A lease past expires_at is free, no matter who holds it; rows never expire.
-- Cost:       a handful of rows, not partitioned.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.leases` (
  lease_name STRING NOT NULL OPTIONS (description = 'What the lease is for.'),
  holder STRING OPTIONS (description = 'The run that holds it; NULL while it is free.'),
  acquired_at TIMESTAMP OPTIONS (description = 'When it was taken.'),
  expires_at TIMESTAMP OPTIONS (description = 'When it is free again even if its holder died.')
)
CLUSTER BY lease_name
OPTIONS (
  description = 'Leases of work that must not overlap: one permanent row each, taken by an UPDATE in a transaction.',
  labels = [('system', 'eros'), ('component', 'automation'), ('retention', 'none')]
);
