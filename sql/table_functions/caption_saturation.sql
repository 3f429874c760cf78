-- How many of the captions that each creator may use are locked.
--
-- Inputs:     the day; the first and the last page by name, NULL for no bound.
-- Guarantees: one row per page with a message in the 30 days before the day (Los Angeles days, the day itself not
--             among them). saturation_pct = 100 x distinct captions with an active assignment on or after the day /
--             captions that the creator may use; NULL where there is none. A pattern that is not valid forbids nothing:
--             the reader looks for it in restriction_patterns first.
-- Cost:       one read of 30 days of mass_messages, of the captions, the restrictions and the active assignments; captions
--             are counted, not paired with creators.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.caption_saturation`(
  p_execution_date DATE,
  p_first_page STRING,
  p_last_page STRING
)
RETURNS TABLE<
  page_name STRING,
  saturation_pct FLOAT64
>
OPTIONS (description = 'Share of the captions of each creator that is locked, in percent.')
AS
WITH
  active_creators AS (
    SELECT DISTINCT sent.page_name
    FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
      p_first_page,
      p_last_page,
      TIMESTAMP(DATE_SUB(p_execution_date, INTERVAL 30 DAY), 'America/Los_Angeles'),
      TIMESTAMP(p_execution_date, 'America/Los_Angeles')
    ) AS sent
  ),
  candidates AS (
    SELECT caption_id, page_name
    FROM `of-scheduler-proj.eros_scheduling_brain.candidate_captions`(NULL)
  ),
  captions_for_every_page AS (
    SELECT DISTINCT caption_id
    FROM candidates
    WHERE page_name IS NULL
  ),
  captions_of_the_pages AS (
    SELECT own.page_name, COUNT(*) AS captions
    FROM candidates AS own
    LEFT JOIN captions_for_every_page AS common
      ON own.caption_id = common.caption_id
    WHERE own.page_name IS NOT NULL AND common.caption_id IS NULL
    GROUP BY own.page_name
  ),
  captions_forbidden_to_the_pages AS (
    SELECT page_name, COUNT(*) AS captions
    FROM `of-scheduler-proj.eros_scheduling_brain.excluded_captions`(p_first_page, p_last_page)
    GROUP BY page_name
  ),
  captions_locked_for_the_pages AS (
    SELECT assignment.page_name, COUNT(DISTINCT assignment.caption_id) AS captions
    FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS assignment
    WHERE assignment.is_active AND assignment.scheduled_send_date >= p_execution_date
    GROUP BY assignment.page_name
  )
SELECT
  creator.page_name,
  100 * SAFE_DIVIDE(
    COALESCE(locked.captions, 0),
    (SELECT COUNT(*) FROM captions_for_every_page) + COALESCE(own.captions, 0) - COALESCE(forbidden.captions, 0)
  ) AS saturation_pct
FROM active_creators AS creator
LEFT JOIN captions_of_the_pages AS own
  ON creator.page_name = own.page_name
LEFT JOIN captions_forbidden_to_the_pages AS forbidden
  ON creator.page_name = forbidden.page_name
LEFT JOIN captions_locked_for_the_pages AS locked
  ON creator.page_name = locked.page_name;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.caption_saturation`(DATE '1990-01-01', NULL, NULL)
) = 0 AS 'no message, no creator';
