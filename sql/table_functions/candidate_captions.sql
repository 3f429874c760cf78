-- The captions that may be sent at all, by the page that may send them.
--
-- Inputs:     the page, NULL for all pages.
-- Guarantees: captions of available_captions with overall_performance_score > 0 and a text, one row per caption_id and
--             page_name, even if the view has duplicates. page_name NULL is for every page; with p_page_name given,
--             only captions that this page may send, each once.
-- Cost:       one read of the captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.candidate_captions`(p_page_name STRING)
RETURNS TABLE<
  caption_id INT64,
  page_name STRING,
  caption_text STRING,
  price_tier STRING,
  content_category STRING,
  has_urgency BOOL,
  avg_revenue FLOAT64
>
OPTIONS (description = 'Captions that one page, or any page, may send, before its restrictions.')
AS
SELECT
  available.caption_id,
  available.page_name,
  available.caption_text,
  available.price_tier,
  available.content_category,
  COALESCE(available.has_urgency, FALSE) AS has_urgency,
  available.avg_revenue
FROM `of-scheduler-proj.eros_scheduling_brain.available_captions` AS available
WHERE available.overall_performance_score > 0
  AND available.caption_id IS NOT NULL
  AND TRIM(available.caption_text) != ''
  AND (p_page_name IS NULL OR available.page_name IS NULL OR available.page_name = p_page_name)
-- a caption for every page needs no second row for one of them; among duplicates the choice is always the same
QUALIFY
  ROW_NUMBER() OVER (
    PARTITION BY available.caption_id, IF(p_page_name IS NULL, available.page_name, NULL)
    ORDER BY
      available.page_name NULLS FIRST,
      available.caption_text,
      available.price_tier NULLS LAST,
      available.content_category NULLS LAST,
      available.has_urgency NULLS LAST,
      available.avg_revenue NULLS LAST
  ) = 1;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.candidate_captions`('no such page') WHERE page_name IS NOT NULL
) = 0 AS 'an unknown page has no caption of its own';
