-- What a creator does not want to send. The owners keep the restrictions in their own table; here only the
-- view's columns are known, so this replacement returns no rows.
--
-- An external object: this system reads these columns and, where the specification says so, writes them. It never
-- creates, alters or drops the object in production. Preflight compares the object with this file, the SQL check
-- compiles against it, and the embedded environment is created from it.
CREATE OR REPLACE VIEW `of-scheduler-proj.eros_scheduling_brain.active_creator_caption_restrictions_v` AS
SELECT
  restriction.page_name,
  restriction.applies_to_scope,
  restriction.min_ppv_pool,
  restriction.min_bump_pool,
  restriction.hard_patterns,
  restriction.soft_patterns,
  restriction.restricted_categories,
  restriction.restricted_price_tiers
FROM (
  SELECT
    CAST(NULL AS STRING) AS page_name,
    CAST(NULL AS STRING) AS applies_to_scope,
    CAST(NULL AS INT64) AS min_ppv_pool,
    CAST(NULL AS INT64) AS min_bump_pool,
    CAST([] AS ARRAY<STRING>) AS hard_patterns,
    CAST([] AS ARRAY<STRING>) AS soft_patterns,
    CAST([] AS ARRAY<STRING>) AS restricted_categories,
    CAST([] AS ARRAY<STRING>) AS restricted_price_tiers
) AS restriction
WHERE restriction.page_name IS NOT NULL;
