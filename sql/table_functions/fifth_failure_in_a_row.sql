-- Where the circuit breaker of the daily run goes: the place of the first fifth failure in a row.
--
-- Inputs:     the pages in their order, each once; those of them that failed.
-- Guarantees: one row: the offset in p_pages of the first page that is the fifth failing one in a row, NULL if there is none.
-- Cost:       reads no table.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.fifth_failure_in_a_row`(
  p_pages ARRAY<STRING>,
  p_failed_pages ARRAY<STRING>
)
RETURNS TABLE<
  place INT64
>
OPTIONS (description = 'The offset of the first page that is the fifth failing one in a row; NULL where there is none.')
AS
WITH
  counted_pages AS (
    SELECT
      place,
      COUNTIF(page IN UNNEST(p_failed_pages)) OVER (
        ORDER BY place
        ROWS BETWEEN 4 PRECEDING AND CURRENT ROW
      ) AS failures
    FROM UNNEST(p_pages) AS page WITH OFFSET AS place
  )
SELECT MIN(place) AS place
FROM counted_pages
WHERE failures = 5;

-- Tests
ASSERT (
  SELECT place FROM `of-scheduler-proj.eros_scheduling_brain.fifth_failure_in_a_row`(
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'], ['b', 'c', 'd', 'e', 'f']
  )
) = 5 AS 'the fifth in a row';
ASSERT (
  SELECT place FROM `of-scheduler-proj.eros_scheduling_brain.fifth_failure_in_a_row`(
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'], ['a', 'b', 'c', 'd', 'f', 'g']
  )
) IS NULL AS 'a success between';
ASSERT (
  SELECT place FROM `of-scheduler-proj.eros_scheduling_brain.fifth_failure_in_a_row`(
    ['a', 'b', 'c', 'd', 'e', 'f', 'g'], ['a', 'b', 'c', 'd', 'e', 'f', 'g']
  )
) = 4 AS 'the first five';
