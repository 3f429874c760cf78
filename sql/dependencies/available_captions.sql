-- The captions of the bank that may be used, with their key in its newest form.
--
-- An external object: this system reads these columns and, where the specification says so, writes them. It never
-- creates, alters or drops the object in production. Preflight compares the object with this file, the SQL check
-- compiles against it, and the embedded environment is created from it.
CREATE OR REPLACE VIEW `of-scheduler-proj.eros_scheduling_brain.available_captions` AS
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
  bank.caption_key AS caption_key_norm
FROM `of-scheduler-proj.eros_scheduling_brain.caption_bank` AS bank
WHERE bank.usage_status = 'available';
