-- The captions of the first generation, for ids that the bank lacks.
--
-- An external object: this system reads these columns and, where the specification says so, writes them. It never
-- creates, alters or drops the object in production. Preflight compares the object with this file, the SQL check
-- compiles against it, and the embedded environment is created from it.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.captions` (
  caption_id INT64,
  caption_text STRING,
  price_tier STRING,
  content_category STRING,
  has_urgency BOOL
);
