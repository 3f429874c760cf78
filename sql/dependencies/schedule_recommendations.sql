-- The slots of the schedules.
--
-- An external object: this system reads these columns and, where the specification says so, writes them. It never
-- creates, alters or drops the object in production. Preflight compares the object with this file, the SQL check
-- compiles against it, and the embedded environment is created from it.
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
