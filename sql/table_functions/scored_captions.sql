-- Every candidate caption of a creator with its score, and whether it may be chosen now.
--
-- Inputs:     the page; its behavioural segment (any text; two are known); the key of the draw: the same key gives each
--             caption the same draw again, and locks of the schedule of that name do not count as uses.
-- Guarantees: one row per candidate that the creator's restrictions allow. is_eligible: not used for the creator in
--             the last 7 days and not locked for days to come. A use is a message that was sent (matched by key where it
--             has no caption_id), or a lock that is active or whose day has passed. A caption and day count once. Uses of
--             the last 7 days (sent, locked or scheduled within them) go into the weekly budgets.
--             final_score = (0.70 x draw + 0.15 x diversity + 0.15 x min(1, EMV / 100) + 0.10 x budget penalty)
--             x segment multiplier, less 0.15 where a soft pattern matches. A caption without statistics has the prior,
--             one success and one failure, and the bank's avg_revenue for its EMV.
-- Cost:       90 days of the page's messages, its locks and statistics, and the captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.scored_captions`(
  p_page_name STRING,
  p_behavioral_segment STRING,
  p_draw_key STRING
)
RETURNS TABLE<
  caption_id INT64,
  caption_text STRING,
  price_tier STRING,
  content_category STRING,
  has_urgency BOOL,
  final_score FLOAT64,
  is_eligible BOOL,
  category_uses INT64,
  urgent_uses INT64,
  debug_info STRUCT<
    thompson_score FLOAT64,
    diversity_bonus FLOAT64,
    segment_multiplier FLOAT64,
    successes INT64,
    failures INT64,
    confidence_lower FLOAT64,
    confidence_upper FLOAT64,
    budget_penalty FLOAT64
  >
>
OPTIONS (description = 'Candidate captions of a creator with their Thompson score and what it is made of.')
AS
WITH
  restriction_problem AS (
    SELECT MIN(restriction.problem) AS problem
    FROM `of-scheduler-proj.eros_scheduling_brain.restriction_patterns`(p_page_name, p_page_name) AS restriction
  ),
  candidates AS (
    SELECT
      candidate.caption_id,
      candidate.caption_text,
      candidate.price_tier,
      candidate.content_category,
      candidate.has_urgency,
      candidate.avg_revenue
    FROM `of-scheduler-proj.eros_scheduling_brain.candidate_captions`(p_page_name) AS candidate
    LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.excluded_captions`(p_page_name, p_page_name) AS excluded
      ON candidate.caption_id = excluded.caption_id
    CROSS JOIN restriction_problem AS restriction
    WHERE excluded.caption_id IS NULL
      AND IF(restriction.problem IS NULL, TRUE, ERROR(restriction.problem))
  ),
  sent_and_locked AS (
    SELECT
      sent.caption_id,
      DATE(sent.sending_time, 'America/Los_Angeles') AS day_of_use,
      sent.sending_time AS used_at,
      sent.sending_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY) AS is_in_cooldown,
      sent.sending_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY) AS is_of_this_week
    FROM `of-scheduler-proj.eros_scheduling_brain.captioned_messages`(
      p_page_name,
      p_page_name,
      TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 90 DAY),
      CURRENT_TIMESTAMP()
    ) AS sent
    WHERE sent.page_name = p_page_name AND sent.caption_id IS NOT NULL
    UNION ALL
    SELECT
      assignment.caption_id,
      COALESCE(
        assignment.scheduled_send_date,
        assignment.assigned_date,
        CURRENT_DATE('America/Los_Angeles')
      ),
      COALESCE(
        assignment.assigned_at,
        TIMESTAMP(COALESCE(assignment.assigned_date, assignment.scheduled_send_date), 'America/Los_Angeles')
      ),
      COALESCE(assignment.scheduled_send_date, assignment.assigned_date, CURRENT_DATE('America/Los_Angeles'))
        >= DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 7 DAY)
        OR (assignment.is_active AND assignment.scheduled_send_date IS NULL),
      COALESCE(assignment.assigned_at >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 DAY), FALSE)
        OR COALESCE(
          assignment.scheduled_send_date BETWEEN DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 7 DAY)
            AND CURRENT_DATE('America/Los_Angeles'),
          FALSE
        )
    FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS assignment
    WHERE assignment.page_name = p_page_name
      AND assignment.caption_id IS NOT NULL
      AND assignment.schedule_id IS DISTINCT FROM p_draw_key
      -- an inactive lock for a day to come was taken back
      AND (assignment.is_active OR assignment.scheduled_send_date < CURRENT_DATE('America/Los_Angeles'))
  ),
  uses AS (
    SELECT
      caption_id,
      day_of_use,
      MAX(used_at) AS used_at,
      LOGICAL_OR(is_in_cooldown) AS is_in_cooldown,
      LOGICAL_OR(is_of_this_week) AS is_of_this_week
    FROM sent_and_locked
    GROUP BY caption_id, day_of_use
  ),
  one_bank_row_for_each_caption AS (
    SELECT bank.caption_id, bank.content_category, bank.price_tier, bank.has_urgency
    FROM `of-scheduler-proj.eros_scheduling_brain.caption_bank` AS bank
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY bank.caption_id
        ORDER BY bank.content_category NULLS LAST, bank.price_tier NULLS LAST, bank.has_urgency NULLS LAST
      ) = 1
  ),
  uses_newest_first AS (
    SELECT
      used.caption_id,
      used.is_of_this_week,
      bank.content_category,
      bank.price_tier,
      COALESCE(bank.has_urgency, FALSE) AS has_urgency,
      ROW_NUMBER() OVER (ORDER BY used.used_at DESC, used.caption_id) AS age_rank
    FROM uses AS used
    LEFT JOIN one_bank_row_for_each_caption AS bank
      ON used.caption_id = bank.caption_id
  ),
  captions_in_cooldown AS (
    SELECT DISTINCT caption_id
    FROM uses
    WHERE is_in_cooldown
  ),
  uses_by_category AS (
    SELECT
      content_category,
      COUNTIF(is_of_this_week) AS weekly_uses,
      COUNTIF(age_rank <= 5) > 0 AS is_recent
    FROM uses_newest_first
    GROUP BY content_category
  ),
  tiers_used_recently AS (
    SELECT DISTINCT price_tier
    FROM uses_newest_first
    WHERE age_rank <= 7
  ),
  urgency_of_the_uses AS (
    SELECT
      COUNTIF(is_of_this_week AND has_urgency) AS weekly_uses,
      COUNTIF(age_rank <= 3 AND has_urgency) > 0 AS is_recent
    FROM uses_newest_first
  ),
  newest_stats_of_each_caption AS (
    SELECT stats.caption_id, stats.successes, stats.failures, stats.avg_emv
    FROM `of-scheduler-proj.eros_scheduling_brain.caption_bandit_stats` AS stats
    WHERE stats.page_name = p_page_name
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY stats.caption_id
        ORDER BY stats.last_updated DESC, stats.total_observations DESC
      ) = 1
  ),
  soft_matches AS (
    SELECT DISTINCT caption.caption_id
    FROM candidates AS caption
    CROSS JOIN `of-scheduler-proj.eros_scheduling_brain.restriction_patterns`(p_page_name, p_page_name) AS restriction
    WHERE restriction.kind = 'soft' AND SAFE.REGEXP_CONTAINS(caption.caption_text, restriction.pattern)
  ),
  captions_with_their_terms AS (
    SELECT
      caption.caption_id,
      caption.caption_text,
      caption.price_tier,
      caption.content_category,
      caption.has_urgency,
      cooldown.caption_id IS NULL AS is_eligible,
      COALESCE(category.weekly_uses, 0) AS category_uses,
      urgency.weekly_uses AS urgent_uses,
      COALESCE(stats.successes, 1) AS successes,
      COALESCE(stats.failures, 1) AS failures,
      `of-scheduler-proj.eros_scheduling_brain.wilson_sample_at`(
        COALESCE(stats.successes, 1),
        COALESCE(stats.failures, 1),
        -- the 53 lowest bits of the fingerprint, as a share of 2^53
        SAFE_DIVIDE(
          FARM_FINGERPRINT(FORMAT('%s|%s|%d', p_draw_key, p_page_name, caption.caption_id)) & 9007199254740991,
          9007199254740992
        )
      ) AS thompson_score,
      IF(COALESCE(category.is_recent, FALSE), -0.2, 0.1)
        + IF(tier.price_tier IS NULL, 0.1, -0.2)
        + IF(caption.has_urgency AND urgency.is_recent, -0.1, 0.05) AS diversity_bonus,
      LEAST(1.0, SAFE_DIVIDE(GREATEST(0.0, COALESCE(stats.avg_emv, caption.avg_revenue, 0.0)), 100)) AS emv_share,
      CASE
        WHEN COALESCE(category.weekly_uses, 0) >= 0.8 * 20 THEN -0.3
        WHEN COALESCE(category.weekly_uses, 0) >= 0.6 * 20 THEN -0.15
        ELSE 0.0
      END
        + IF(caption.has_urgency AND urgency.weekly_uses >= 0.8 * 5, -0.5, 0.0) AS budget_penalty,
      CASE
        WHEN p_behavioral_segment = 'High-Value/Price-Insensitive' AND caption.price_tier = 'premium' THEN 1.25
        WHEN p_behavioral_segment = 'Budget-Conscious' AND caption.price_tier IN ('budget', 'mid') THEN 1.15
        ELSE 1.0
      END AS segment_multiplier,
      IF(soft.caption_id IS NULL, 0.0, 0.15) AS soft_cost
    FROM candidates AS caption
    CROSS JOIN urgency_of_the_uses AS urgency
    LEFT JOIN captions_in_cooldown AS cooldown
      ON caption.caption_id = cooldown.caption_id
    LEFT JOIN uses_by_category AS category
      ON caption.content_category = category.content_category
    LEFT JOIN tiers_used_recently AS tier
      ON caption.price_tier = tier.price_tier
    LEFT JOIN newest_stats_of_each_caption AS stats
      ON caption.caption_id = stats.caption_id
    LEFT JOIN soft_matches AS soft
      ON caption.caption_id = soft.caption_id
  ),
  captions_with_their_interval AS (
    SELECT
      caption_id,
      caption_text,
      price_tier,
      content_category,
      has_urgency,
      is_eligible,
      category_uses,
      urgent_uses,
      successes,
      failures,
      thompson_score,
      diversity_bonus,
      emv_share,
      budget_penalty,
      segment_multiplier,
      soft_cost,
      `of-scheduler-proj.eros_scheduling_brain.wilson_score_bounds`(successes, failures) AS bounds
    FROM captions_with_their_terms
  )
SELECT
  caption_id,
  caption_text,
  price_tier,
  content_category,
  has_urgency,
  (0.7 * thompson_score + 0.15 * diversity_bonus + 0.15 * emv_share + 0.1 * budget_penalty) * segment_multiplier
    - soft_cost AS final_score,
  is_eligible,
  category_uses,
  urgent_uses,
  STRUCT(
    thompson_score,
    diversity_bonus,
    segment_multiplier,
    successes,
    failures,
    bounds.lower_bound AS confidence_lower,
    bounds.upper_bound AS confidence_upper,
    budget_penalty
  ) AS debug_info
FROM captions_with_their_interval;

-- Tests
ASSERT (
  SELECT COUNT(*) = COUNT(DISTINCT caption_id)
  FROM `of-scheduler-proj.eros_scheduling_brain.scored_captions`('no such page', 'Budget-Conscious', 'test')
) AS 'each caption once';
