-- The locks on captions: an active row keeps a caption from being used again for its page.
--
-- An external object: this system reads these columns and, where the specification says so, writes them. It never
-- creates, alters or drops the object in production. Preflight compares the object with this file, the SQL check
-- compiles against it, and the embedded environment is created from it.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` (
  page_name STRING,
  caption_id INT64,
  caption_text STRING,
  assigned_date DATE,
  scheduled_send_date DATE,
  scheduled_send_hour INT64,
  price_tier STRING,
  is_active BOOL,
  assigned_at TIMESTAMP,
  assignment_key STRING,
  schedule_id STRING
);
