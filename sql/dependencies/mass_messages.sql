-- The messages that were sent, with what came of them.
--
-- Owned by others: this system reads, and where the specification says so writes, these columns; it never creates,
-- alters or drops the object in production. This file is the preflight's contract, the SQL check's catalog and the
-- embedded environment's fixture.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.mass_messages` (
  row_id INT64,
  page_name STRING,
  message STRING,
  sending_time TIMESTAMP,
  price FLOAT64,
  sent_count INT64,
  viewed_count INT64,
  purchased_count FLOAT64,
  earnings FLOAT64,
  message_type STRING,
  caption_id INT64
);
