-- The patterns of creators' restrictions, and which of them are not valid.
--
-- Inputs:     the first and the last page by name, NULL for no bound.
-- Guarantees: one row per page, kind ('hard' or 'soft') and pattern, of all the page's restriction rows together. problem
--             names the creator and a pattern that is not a valid regular expression; NULL for a valid one. Its reader
--             decides: a caption is never allowed only because it could not be checked.
-- Cost:       one read of the restrictions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.restriction_patterns`(
  p_first_page STRING,
  p_last_page STRING
)
RETURNS TABLE<
  page_name STRING,
  kind STRING,
  pattern STRING,
  problem STRING
>
OPTIONS (description = 'Hard and soft patterns of creators, and what is wrong with those that are not valid.')
AS
WITH
  patterns_as_written AS (
    SELECT restriction.page_name, 'hard' AS kind, pattern
    FROM `of-scheduler-proj.eros_scheduling_brain.active_creator_caption_restrictions_v` AS restriction
    CROSS JOIN UNNEST(restriction.hard_patterns) AS pattern
    WHERE restriction.page_name BETWEEN COALESCE(p_first_page, '') AND COALESCE(p_last_page, restriction.page_name)
    UNION ALL
    SELECT restriction.page_name, 'soft', pattern
    FROM `of-scheduler-proj.eros_scheduling_brain.active_creator_caption_restrictions_v` AS restriction
    CROSS JOIN UNNEST(restriction.soft_patterns) AS pattern
    WHERE restriction.page_name BETWEEN COALESCE(p_first_page, '') AND COALESCE(p_last_page, restriction.page_name)
  )
SELECT DISTINCT
  page_name,
  kind,
  pattern,
  IF(
    SAFE.REGEXP_CONTAINS('', pattern) IS NULL,
    FORMAT('creator %s has a %s pattern that is not a valid regular expression: %s', page_name, kind, pattern),
    NULL
  ) AS problem
FROM patterns_as_written
WHERE pattern IS NOT NULL AND page_name IS NOT NULL;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.restriction_patterns`('no such page', 'no such page')
) = 0 AS 'an unknown page has no pattern';
