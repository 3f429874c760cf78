-- The messages of a window with the caption of each: its own caption_id, or else the one caption whose key its text has.
--
-- Inputs:     as message_results.
-- Guarantees: as many rows as message_results gives. A text is matched by caption_key to caption_bank, and only when
--             exactly one caption of the bank has that key; otherwise caption_id stays NULL.
-- Cost:       reads mass_messages with its texts, and caption_bank; a key is computed once for each different text.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.captioned_messages`(
  p_first_page STRING,
  p_last_page STRING,
  p_from TIMESTAMP,
  p_to TIMESTAMP
)
RETURNS TABLE<
  row_id INT64,
  page_name STRING,
  caption_id INT64,
  sending_time TIMESTAMP,
  price FLOAT64,
  sent_count INT64,
  viewed_count INT64,
  purchased_count FLOAT64,
  earnings FLOAT64,
  rpr FLOAT64,
  conv FLOAT64,
  emv FLOAT64
>
OPTIONS (description = 'Messages of a window, those without a caption id matched by the key of their text.')
AS
WITH
  texts_without_a_caption AS (
    SELECT DISTINCT nameless.message
    FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(p_first_page, p_last_page, p_from, p_to) AS nameless
    WHERE nameless.caption_id IS NULL AND nameless.message IS NOT NULL
  ),
  keys_of_exactly_one_caption AS (
    SELECT bank.caption_key, MIN(bank.caption_id) AS caption_id
    FROM `of-scheduler-proj.eros_scheduling_brain.caption_bank` AS bank
    GROUP BY bank.caption_key
    HAVING COUNT(DISTINCT bank.caption_id) = 1
  ),
  captions_found_by_key AS (
    SELECT text.message, found.caption_id
    FROM texts_without_a_caption AS text
    JOIN keys_of_exactly_one_caption AS found
      ON `of-scheduler-proj.eros_scheduling_brain.caption_key`(text.message) = found.caption_key
  )
SELECT
  sent.row_id,
  sent.page_name,
  COALESCE(sent.caption_id, found.caption_id) AS caption_id,
  sent.sending_time,
  sent.price,
  sent.sent_count,
  sent.viewed_count,
  sent.purchased_count,
  sent.earnings,
  sent.rpr,
  sent.conv,
  sent.emv
FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(p_first_page, p_last_page, p_from, p_to) AS sent
LEFT JOIN captions_found_by_key AS found
  -- only texts without a caption are looked up
  ON IF(sent.caption_id IS NULL, sent.message, NULL) = found.message;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.captioned_messages`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', TIMESTAMP '1990-01-01 00:00:00+00')
) = 0 AS 'an empty window holds no message';
