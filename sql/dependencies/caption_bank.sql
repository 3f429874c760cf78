-- The captions to choose from: price_tier is budget, mid, premium or bump; page_name NULL is for every page.
--
-- An external object: this system reads these columns and, where the specification says so, writes them. It never
-- creates, alters or drops the object in production. Preflight compares the object with this file, the SQL check
-- compiles against it, and the embedded environment is created from it.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.caption_bank` (
  caption_id INT64,
  caption_text STRING,
  caption_key STRING,
  content_category STRING,
  price_tier STRING,
  has_urgency BOOL,
  overall_performance_score FLOAT64,
  avg_revenue FLOAT64,
  usage_status STRING,
  last_used TIMESTAMP,
  page_name STRING
);
