-- What content each creator has.
--
-- Owned by others: this system reads, and where the specification says so writes, these columns; it never creates,
-- alters or drops the object in production. This file is the preflight's contract, the SQL check's catalog and the
-- embedded environment's fixture.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.creator_content_inventory` (
  page_name STRING,
  inventory_date DATE,
  available_categories ARRAY<STRING>,
  total_content_pieces INT64
);
