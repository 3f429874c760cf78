-- The bank with the psychological trigger of each caption. The owners' rules are richer; the columns are the contract.
--
-- An external object: this system reads these columns and, where the specification says so, writes them. It never
-- creates, alters or drops the object in production. Preflight compares the object with this file, the SQL check
-- compiles against it, and the embedded environment is created from it.
CREATE OR REPLACE VIEW `of-scheduler-proj.eros_scheduling_brain.caption_bank_enriched` AS
SELECT
  bank.caption_id,
  bank.caption_text,
  bank.caption_key,
  bank.content_category,
  bank.price_tier,
  bank.has_urgency,
  bank.overall_performance_score,
  bank.avg_revenue,
  bank.usage_status,
  bank.last_used,
  bank.page_name,
  CASE
    WHEN bank.has_urgency THEN 'URGENCY'
    WHEN bank.price_tier = 'premium' THEN 'EXCLUSIVITY'
    WHEN bank.price_tier = 'bump' THEN 'CURIOSITY'
    ELSE 'VALUE'
  END AS psychological_trigger
FROM `of-scheduler-proj.eros_scheduling_brain.caption_bank` AS bank;
