-- The messages of a window with their results: the one place that reads mass_messages for figures.
--
-- Inputs:     the first and the last page by name, NULL for no bound; the window from p_from up to, not including, p_to.
-- Guarantees: one row per message that has a page and a sending time in the window; purchases and earnings that are
--             not known count as 0. rpr = earnings / sent, NULL unless sent_count > 0; conv = purchased / viewed and
--             emv = conv x earnings, NULL unless viewed_count > 0.
-- Cost:       one read of mass_messages, of the columns that the caller asks for.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.message_results`(
  p_first_page STRING,
  p_last_page STRING,
  p_from TIMESTAMP,
  p_to TIMESTAMP
)
RETURNS TABLE<
  row_id INT64,
  page_name STRING,
  caption_id INT64,
  message STRING,
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
OPTIONS (description = 'Messages of a window with revenue per recipient, conversion and expected monetary value.')
AS
SELECT
  sent.row_id,
  sent.page_name,
  sent.caption_id,
  sent.message,
  sent.sending_time,
  sent.price,
  sent.sent_count,
  sent.viewed_count,
  COALESCE(sent.purchased_count, 0) AS purchased_count,
  COALESCE(sent.earnings, 0) AS earnings,
  IF(sent.sent_count > 0, SAFE_DIVIDE(COALESCE(sent.earnings, 0), sent.sent_count), NULL) AS rpr,
  IF(sent.viewed_count > 0, SAFE_DIVIDE(COALESCE(sent.purchased_count, 0), sent.viewed_count), NULL) AS conv,
  IF(
    sent.viewed_count > 0,
    SAFE_DIVIDE(COALESCE(sent.purchased_count, 0), sent.viewed_count) * COALESCE(sent.earnings, 0),
    NULL
  ) AS emv
FROM `of-scheduler-proj.eros_scheduling_brain.mass_messages` AS sent
WHERE sent.sending_time >= p_from
  AND sent.sending_time < p_to
  AND sent.page_name IS NOT NULL
  AND sent.page_name BETWEEN COALESCE(p_first_page, '') AND COALESCE(p_last_page, sent.page_name);

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(NULL, NULL, TIMESTAMP '1990-01-01 00:00:00+00', TIMESTAMP '1990-01-01 00:00:00+00')
) = 0 AS 'an empty window holds no message';
