-- The captions to send: the best of each price tier within the weekly budgets.
--
-- Inputs:     as scored_captions, and how many captions of each tier are wanted.
-- Guarantees: eligible captions only, the best scores of each tier. With the uses of the last 7 days at most 5 urgent
--             captions, and 20 of a category, are in a week. A caption that a budget excludes takes no place of its tier:
--             places within a budget go first to a tier that needs them, then to captions that would be chosen anyway,
--             then by score. Best first is final_score, then caption_id.
-- Cost:       as scored_captions.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.chosen_captions`(
  p_page_name STRING,
  p_behavioral_segment STRING,
  p_budget_needed INT64,
  p_mid_needed INT64,
  p_premium_needed INT64,
  p_bump_needed INT64,
  p_draw_key STRING
)
RETURNS TABLE<
  caption_id INT64,
  caption_text STRING,
  price_tier STRING,
  content_category STRING,
  has_urgency BOOL,
  final_score FLOAT64,
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
OPTIONS (description = 'The best eligible captions of each price tier within the weekly budgets.')
AS
WITH
  wanted_captions AS (
    SELECT
      scored.caption_id,
      scored.caption_text,
      scored.price_tier,
      scored.content_category,
      scored.has_urgency,
      scored.final_score,
      scored.debug_info,
      GREATEST(0, 5 - scored.urgent_uses) AS urgent_places,
      GREATEST(0, 20 - scored.category_uses) AS category_places,
      CASE scored.price_tier
        WHEN 'budget' THEN p_budget_needed
        WHEN 'mid' THEN p_mid_needed
        WHEN 'premium' THEN p_premium_needed
        WHEN 'bump' THEN p_bump_needed
      END AS wanted
    FROM `of-scheduler-proj.eros_scheduling_brain.scored_captions`(
      p_page_name,
      p_behavioral_segment,
      p_draw_key
    ) AS scored
    WHERE scored.is_eligible
  ),
  ranked_within_the_tier AS (
    SELECT
      caption_id,
      caption_text,
      price_tier,
      content_category,
      has_urgency,
      final_score,
      debug_info,
      urgent_places,
      category_places,
      wanted,
      ROW_NUMBER() OVER (PARTITION BY price_tier ORDER BY final_score DESC, caption_id) AS tier_rank,
      ROW_NUMBER() OVER (PARTITION BY price_tier, has_urgency ORDER BY final_score DESC, caption_id) AS rank_of_its_kind,
      -- the urgent captions that the tier needs because it has too few others
      wanted - COUNTIF(NOT has_urgency) OVER (PARTITION BY price_tier) AS urgent_needed
    FROM wanted_captions
    WHERE wanted > 0
  ),
  ranked_for_the_urgent_places AS (
    SELECT
      caption_id,
      caption_text,
      price_tier,
      content_category,
      has_urgency,
      final_score,
      debug_info,
      category_places,
      wanted,
      has_urgency AND ROW_NUMBER() OVER (
        PARTITION BY has_urgency
        ORDER BY
          IF(rank_of_its_kind <= urgent_needed, 1, 2),
          IF(tier_rank <= wanted, 1, 2),
          final_score DESC,
          caption_id
      ) > urgent_places AS is_one_urgent_too_many
    FROM ranked_within_the_tier
  ),
  ranked_within_the_category AS (
    SELECT
      caption_id,
      caption_text,
      price_tier,
      content_category,
      has_urgency,
      final_score,
      debug_info,
      category_places,
      wanted,
      ROW_NUMBER() OVER (PARTITION BY price_tier, content_category ORDER BY final_score DESC, caption_id)
        AS rank_of_its_kind
    FROM ranked_for_the_urgent_places
    WHERE NOT is_one_urgent_too_many
  ),
  counted_within_the_tier AS (
    SELECT
      caption_id,
      caption_text,
      price_tier,
      content_category,
      has_urgency,
      final_score,
      debug_info,
      category_places,
      wanted,
      rank_of_its_kind,
      ROW_NUMBER() OVER (PARTITION BY price_tier ORDER BY final_score DESC, caption_id) AS tier_rank,
      -- the captions of this category that the tier needs because it has too few others
      wanted - COUNT(*) OVER (PARTITION BY price_tier) + COUNT(*) OVER (PARTITION BY price_tier, content_category)
        AS category_needed
    FROM ranked_within_the_category
    WHERE rank_of_its_kind <= category_places
  ),
  ranked_for_the_places_of_the_category AS (
    SELECT
      caption_id,
      caption_text,
      price_tier,
      content_category,
      has_urgency,
      final_score,
      debug_info,
      wanted,
      ROW_NUMBER() OVER (
        PARTITION BY content_category
        ORDER BY
          IF(rank_of_its_kind <= category_needed, 1, 2),
          IF(tier_rank <= wanted, 1, 2),
          final_score DESC,
          caption_id
      ) > category_places AS is_one_of_the_category_too_many
    FROM counted_within_the_tier
  )
SELECT
  caption_id,
  caption_text,
  price_tier,
  content_category,
  has_urgency,
  final_score,
  debug_info
FROM ranked_for_the_places_of_the_category
WHERE NOT is_one_of_the_category_too_many
QUALIFY ROW_NUMBER() OVER (PARTITION BY price_tier ORDER BY final_score DESC, caption_id) <= wanted;

-- Tests
ASSERT (
  SELECT COUNT(*)
  FROM `of-scheduler-proj.eros_scheduling_brain.chosen_captions`('no such page', 'Budget-Conscious', 0, 0, 0, 0, 'test')
) = 0 AS 'nothing wanted, nothing chosen';
