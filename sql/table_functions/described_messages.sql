-- The messages of a window that were sent to anybody, with category, price tier and psychological trigger of their caption.
--
-- Inputs:     as message_results.
-- Guarantees: one row per message with sent_count > 0, even if caption_bank_enriched has duplicates; a message
--             whose caption is not known has no category, tier or trigger.
-- Cost:       as captioned_messages, and caption_bank_enriched.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.described_messages`(
  p_first_page STRING,
  p_last_page STRING,
  p_from TIMESTAMP,
  p_to TIMESTAMP
)
RETURNS TABLE<
  page_name STRING,
  sending_time TIMESTAMP,
  price FLOAT64,
  viewed_count INT64,
  purchased_count FLOAT64,
  rpr FLOAT64,
  conv FLOAT64,
  content_category STRING,
  price_tier STRING,
  psychological_trigger STRING
>
OPTIONS (description = 'Messages of a window with category, price tier and psychological trigger of their caption.')
AS
WITH
  one_description_for_each_caption AS (
    SELECT enriched.caption_id, enriched.content_category, enriched.price_tier, enriched.psychological_trigger
    FROM `of-scheduler-proj.eros_scheduling_brain.caption_bank_enriched` AS enriched
    -- among duplicates the choice is arbitrary but always the same
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY enriched.caption_id
        ORDER BY
          enriched.content_category NULLS LAST,
          enriched.price_tier NULLS LAST,
          enriched.psychological_trigger NULLS LAST
      ) = 1
  )
SELECT
  sent.page_name,
  sent.sending_time,
  sent.price,
  sent.viewed_count,
  sent.purchased_count,
  sent.rpr,
  sent.conv,
  caption.content_category,
  caption.price_tier,
  caption.psychological_trigger
FROM `of-scheduler-proj.eros_scheduling_brain.captioned_messages`(p_first_page, p_last_page, p_from, p_to) AS sent
LEFT JOIN one_description_for_each_caption AS caption
  ON sent.caption_id = caption.caption_id
WHERE sent.sent_count > 0;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.described_messages`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', TIMESTAMP '1990-01-01 00:00:00+00')
) = 0 AS 'an empty window holds no message';
