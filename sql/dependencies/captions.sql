-- The captions of the first generation, for ids that the bank lacks.
--
-- Owned by others: this system reads, and where the specification says so writes, these columns; it never creates,
-- alters or drops the object in production. This file is the preflight's contract, the SQL check's catalog and the
-- embedded environment's fixture.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.captions` (
  caption_id INT64,
  caption_text STRING,
  price_tier STRING,
  content_category STRING,
  has_urgency BOOL
);
