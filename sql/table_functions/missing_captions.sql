-- The captions that a schedule asked for and did not get, by price tier, and what the tier's other captions are kept out by.
--
-- Inputs:     the schedule, which has its locks, and the same arguments as lock_captions_for_creator.
-- Guarantees: one row per tier that came back short. Each candidate that was not chosen counts once: it is forbidden by a
--             restriction, else locked for another schedule, else in its cooldown of 7 days, else over a weekly budget.
-- Cost:       as scored_captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.missing_captions`(
  p_schedule_id STRING,
  p_page_name STRING,
  p_behavioral_segment STRING,
  p_budget_needed INT64,
  p_mid_needed INT64,
  p_premium_needed INT64,
  p_bump_needed INT64
)
RETURNS TABLE<
  price_tier STRING,
  wanted INT64,
  locked INT64,
  by_restrictions INT64,
  by_locks INT64,
  by_cooldown INT64,
  by_budgets INT64
>
OPTIONS (description = 'Captions that a schedule asked for and did not get, with the reasons.')
AS
WITH
  tiers AS (
    SELECT 'budget' AS price_tier, p_budget_needed AS wanted
    UNION ALL
    SELECT 'mid', p_mid_needed
    UNION ALL
    SELECT 'premium', p_premium_needed
    UNION ALL
    SELECT 'bump', p_bump_needed
  ),
  locks AS (
    SELECT
      assignment.caption_id,
      assignment.price_tier,
      assignment.schedule_id IS NOT DISTINCT FROM p_schedule_id AS is_own
    FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS assignment
    WHERE assignment.page_name = p_page_name
      AND assignment.is_active
      AND COALESCE(assignment.scheduled_send_date >= CURRENT_DATE('America/Los_Angeles'), TRUE)
  ),
  own_locks AS (
    SELECT held.price_tier, COUNT(*) AS captions
    FROM locks AS held
    WHERE held.is_own
    GROUP BY held.price_tier
  ),
  locks_of_each_caption AS (
    SELECT held.caption_id, LOGICAL_OR(held.is_own) AS is_chosen
    FROM locks AS held
    GROUP BY held.caption_id
  ),
  candidates AS (
    SELECT
      candidate.price_tier,
      CASE
        WHEN held.is_chosen THEN 'chosen'
        WHEN scored.caption_id IS NULL THEN 'restriction'
        WHEN held.caption_id IS NOT NULL THEN 'lock'
        WHEN NOT scored.is_eligible THEN 'cooldown'
        ELSE 'budget'
      END AS kept_out_by
    FROM `of-scheduler-proj.eros_scheduling_brain.candidate_captions`(p_page_name) AS candidate
    LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.scored_captions`(
      p_page_name,
      p_behavioral_segment,
      p_schedule_id
    ) AS scored
      ON candidate.caption_id = scored.caption_id
    LEFT JOIN locks_of_each_caption AS held
      ON candidate.caption_id = held.caption_id
  ),
  reasons AS (
    SELECT
      candidate.price_tier,
      COUNTIF(candidate.kept_out_by = 'restriction') AS by_restrictions,
      COUNTIF(candidate.kept_out_by = 'lock') AS by_locks,
      COUNTIF(candidate.kept_out_by = 'cooldown') AS by_cooldown,
      COUNTIF(candidate.kept_out_by = 'budget') AS by_budgets
    FROM candidates AS candidate
    GROUP BY candidate.price_tier
  )
SELECT
  tier.price_tier,
  tier.wanted,
  COALESCE(own.captions, 0) AS locked,
  COALESCE(reason.by_restrictions, 0) AS by_restrictions,
  COALESCE(reason.by_locks, 0) AS by_locks,
  COALESCE(reason.by_cooldown, 0) AS by_cooldown,
  COALESCE(reason.by_budgets, 0) AS by_budgets
FROM tiers AS tier
LEFT JOIN own_locks AS own
  ON tier.price_tier = own.price_tier
LEFT JOIN reasons AS reason
  ON tier.price_tier = reason.price_tier
WHERE COALESCE(own.captions, 0) < tier.wanted;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.missing_captions`('test', 'no such page', 'Budget-Conscious', 0, 0, 0, 0)
) = 0 AS 'nothing wanted, nothing missing';
