-- Captions whose stored key is not the key of their text.
--
-- Guarantees: compares with caption_key_v2; a caption without a text has no key.
-- Cost:       two columns of caption_bank.
SELECT
  bank.caption_id,
  bank.caption_text,
  bank.caption_key AS stored_key,
  `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`(bank.caption_text) AS key_of_its_text
FROM `of-scheduler-proj.eros_scheduling_brain.caption_bank` AS bank
WHERE bank.caption_key IS DISTINCT FROM `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`(bank.caption_text)
ORDER BY bank.caption_id
LIMIT 100;
