-- The slots of the schedules.
--
-- Owned by others: this system reads, and where the specification says so writes, these columns; it never creates,
-- alters or drops the object in production. This file is the preflight's contract, the SQL check's catalog and the
-- embedded environment's fixture.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.schedule_recommendations` (
  schedule_id STRING,
  page_name STRING,
  day_of_week STRING,
  scheduled_send_time TIMESTAMP,
  message_type STRING,
  caption_id INT64,
  created_at TIMESTAMP,
  is_active BOOL,
  time_slot_rank INT64
);
