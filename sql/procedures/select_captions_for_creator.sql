-- Chooses captions for a creator by Thompson sampling, within the weekly budgets; locks nothing.
--
-- Inputs:     the page; its behavioural segment; how many captions of each price tier. For candidates, scores
--             and budgets see candidate_captions, excluded_captions, scored_captions and
--             chosen_captions.
-- Guarantees: changes nothing; returns the rows, best first. Draws again each time. A blank page, missing or negative
--             numbers and an invalid pattern of the creator's restrictions are clear errors.
-- Cost:       one statement: 90 days of the page's messages, its locks and statistics, and the captions.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.select_captions_for_creator`(
  normalized_page_name STRING,
  behavioral_segment STRING,
  num_budget_needed INT64,
  num_mid_needed INT64,
  num_premium_needed INT64,
  num_bump_needed INT64
)
OPTIONS (description = 'Chooses captions for a creator by Thompson sampling, within the weekly budgets.')
BEGIN
  -- a new key, so that every call draws again and each caption is drawn once
  DECLARE v_draw_key STRING DEFAULT GENERATE_UUID();
  DECLARE v_problem STRING DEFAULT `of-scheduler-proj.eros_scheduling_brain.selection_problem`(
    normalized_page_name,
    num_budget_needed,
    num_mid_needed,
    num_premium_needed,
    num_bump_needed
  );

  IF v_problem IS NOT NULL THEN
    RAISE USING MESSAGE = CONCAT('select_captions_for_creator: ', v_problem);
  END IF;

  SELECT
    chosen.caption_id,
    chosen.caption_text,
    chosen.price_tier,
    chosen.content_category,
    chosen.has_urgency,
    chosen.final_score,
    chosen.debug_info
  FROM `of-scheduler-proj.eros_scheduling_brain.chosen_captions`(
    normalized_page_name,
    behavioral_segment,
    num_budget_needed,
    num_mid_needed,
    num_premium_needed,
    num_bump_needed,
    v_draw_key
  ) AS chosen
  ORDER BY chosen.final_score DESC, chosen.caption_id;
END;
