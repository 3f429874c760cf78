-- The captions that creators' restrictions forbid.
--
-- Inputs:     the first and the last page by name, NULL for no bound.
-- Guarantees: one row per page and candidate caption that any of the page's restriction rows forbids: by category, by
--             price tier, or by a hard pattern that its text matches. Pages without restrictions have no row. A pattern
--             that is not valid forbids nothing: the reader looks for it in restriction_patterns first.
-- Cost:       each different pattern is matched once with each caption, even if several pages have it.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.excluded_captions`(
  p_first_page STRING,
  p_last_page STRING
)
RETURNS TABLE<
  page_name STRING,
  caption_id INT64
>
OPTIONS (description = 'Captions that the restrictions of one or all creators forbid.')
AS
WITH
  candidates AS (
    SELECT caption_id, page_name, caption_text, price_tier, content_category
    FROM `of-scheduler-proj.eros_scheduling_brain.candidate_captions`(
      IF(p_first_page = p_last_page, p_first_page, NULL)
    )
  ),
  restrictions AS (
    SELECT restriction.page_name, restriction.restricted_categories, restriction.restricted_price_tiers
    FROM `of-scheduler-proj.eros_scheduling_brain.active_creator_caption_restrictions_v` AS restriction
    WHERE restriction.page_name IS NOT NULL
      AND restriction.page_name BETWEEN COALESCE(p_first_page, '') AND COALESCE(p_last_page, restriction.page_name)
  ),
  forbidden_categories AS (
    SELECT DISTINCT restriction.page_name, category
    FROM restrictions AS restriction
    CROSS JOIN UNNEST(restriction.restricted_categories) AS category
  ),
  forbidden_tiers AS (
    SELECT DISTINCT restriction.page_name, tier
    FROM restrictions AS restriction
    CROSS JOIN UNNEST(restriction.restricted_price_tiers) AS tier
  ),
  hard_patterns AS (
    SELECT page_name, pattern
    FROM `of-scheduler-proj.eros_scheduling_brain.restriction_patterns`(p_first_page, p_last_page)
    WHERE kind = 'hard'
  ),
  captions_that_match AS (
    SELECT distinct_pattern.pattern, caption.caption_id, caption.page_name
    FROM (SELECT DISTINCT pattern FROM hard_patterns) AS distinct_pattern
    CROSS JOIN candidates AS caption
    WHERE SAFE.REGEXP_CONTAINS(caption.caption_text, distinct_pattern.pattern)
  ),
  exclusions AS (
    SELECT forbidden.page_name, caption.caption_id, caption.page_name AS only_for
    FROM forbidden_categories AS forbidden
    JOIN candidates AS caption
      ON forbidden.category = caption.content_category
    UNION ALL
    SELECT forbidden.page_name, caption.caption_id, caption.page_name
    FROM forbidden_tiers AS forbidden
    JOIN candidates AS caption
      ON forbidden.tier = caption.price_tier
    UNION ALL
    SELECT hard.page_name, caption.caption_id, caption.page_name
    FROM hard_patterns AS hard
    JOIN captions_that_match AS caption
      ON hard.pattern = caption.pattern
  )
SELECT DISTINCT page_name, caption_id
FROM exclusions
WHERE only_for IS NULL OR only_for = page_name;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.excluded_captions`('no such page', 'no such page')
) = 0 AS 'nothing is forbidden to an unknown page';
