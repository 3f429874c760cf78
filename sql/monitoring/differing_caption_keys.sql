-- Captions whose stored key is not the key of their text.
--
-- Guarantees: WARNING; compares with caption_key_v2; a caption without a text has no key.
-- Cost:       three columns of caption_bank.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.differing_caption_keys`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  problems INT64
>
OPTIONS (description = 'Captions whose stored key is not the key of their text.')
AS
SELECT
  FORMAT('caption %t', bank.caption_id) AS subject,
  'WARNING' AS status,
  FORMAT(
    'the stored key is %t, that of its text %t: %t',
    bank.caption_key,
    `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`(bank.caption_text),
    LEFT(bank.caption_text, 100)
  ) AS details,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.caption_bank` AS bank
WHERE bank.caption_key IS DISTINCT FROM `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`(bank.caption_text)
ORDER BY bank.caption_id
LIMIT 50;
