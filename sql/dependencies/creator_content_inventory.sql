-- What content each creator has.
--
-- An external object: this system reads these columns and, where the specification says so, writes them. It never
-- creates, alters or drops the object in production. Preflight compares the object with this file, the SQL check
-- compiles against it, and the embedded environment is created from it.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.creator_content_inventory` (
  page_name STRING,
  inventory_date DATE,
  available_categories ARRAY<STRING>,
  total_content_pieces INT64
);
