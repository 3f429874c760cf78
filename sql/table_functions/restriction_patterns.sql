-- The patterns of creators' restrictions, each valid; an invalid one is an error.
--
-- Inputs:     the page, NULL for all pages.
-- Guarantees: one row per page, kind ('hard' or 'soft') and pattern, of all the page's restriction rows together. A
--             pattern that is not a valid regular expression is an error that names creator and pattern: a caption is never
--             allowed only because it could not be checked.
-- Cost:       one read of the restrictions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.restriction_patterns`(p_page_name STRING)
RETURNS TABLE<
  page_name STRING,
  kind STRING,
  pattern STRING
>
OPTIONS (description = 'Hard and soft patterns of one or all creators; an invalid one is an error.')
AS
WITH
  patterns_as_written AS (
    SELECT restriction.page_name, 'hard' AS kind, pattern
    FROM `of-scheduler-proj.eros_scheduling_brain.active_creator_caption_restrictions_v` AS restriction
    CROSS JOIN UNNEST(restriction.hard_patterns) AS pattern
    WHERE p_page_name IS NULL OR restriction.page_name = p_page_name
    UNION ALL
    SELECT restriction.page_name, 'soft', pattern
    FROM `of-scheduler-proj.eros_scheduling_brain.active_creator_caption_restrictions_v` AS restriction
    CROSS JOIN UNNEST(restriction.soft_patterns) AS pattern
    WHERE p_page_name IS NULL OR restriction.page_name = p_page_name
  )
SELECT DISTINCT
  page_name,
  kind,
  IF(
    SAFE.REGEXP_CONTAINS('', pattern) IS NULL,
    ERROR(FORMAT('creator %s has a %s pattern that is not a valid regular expression: %s', page_name, kind, pattern)),
    pattern
  ) AS pattern
FROM patterns_as_written
WHERE pattern IS NOT NULL AND page_name IS NOT NULL;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.restriction_patterns`('no such page')
) = 0 AS 'an unknown page has no pattern';
