-- The active slots of every schedule with the caption and what the bandit knows about it: what an export reads.
--
-- Inputs:     schedule_recommendations, caption_bank, captions, caption_bandit_stats; they may have duplicates.
-- Guarantees: one row per active row of schedule_recommendations, never more and never fewer. The caption comes from
--             caption_bank, from captions where the bank lacks the id; the stats are the newest row of page and caption.
-- Cost:       a filter on schedule_id reaches schedule_recommendations; all 90 days of caption_bandit_stats
--             are read.
CREATE OR REPLACE VIEW `of-scheduler-proj.eros_scheduling_brain.schedule_recommendations_messages` (
  schedule_id OPTIONS (description = 'The schedule.'),
  page_name OPTIONS (description = 'The creator page that it is for.'),
  day_of_week OPTIONS (description = 'The weekday of the slot.'),
  scheduled_send_time OPTIONS (description = 'When the message should be sent.'),
  message_type OPTIONS (description = 'What kind of message it is.'),
  caption_id OPTIONS (description = 'The caption of the slot.'),
  caption_text OPTIONS (description = 'Its text.'),
  price_tier OPTIONS (description = 'budget, mid, premium or bump.'),
  content_category OPTIONS (description = 'The category of its content.'),
  has_urgency OPTIONS (description = 'Whether it is urgent.'),
  performance_score OPTIONS (description = 'Purchases divided by messages sent, as the bandit knows it.'),
  confidence_lower_bound OPTIONS (description = 'Lower end of the interval of its success rate.'),
  confidence_upper_bound OPTIONS (description = 'Upper end of the interval of its success rate.'),
  total_observations OPTIONS (description = 'Messages that the figures are based on.'),
  caption_last_updated OPTIONS (description = 'When those figures last changed.'),
  schedule_created_at OPTIONS (description = 'When the slot was made.'),
  schedule_is_active OPTIONS (description = 'TRUE: only active slots are shown.'),
  time_slot_rank OPTIONS (description = 'The rank of the slot within its day.')
)
OPTIONS (
  description = 'Active schedule slots with their caption and its bandit statistics, one row for each slot.',
  labels = [('system', 'eros'), ('component', 'export'), ('retention', 'none')]
)
AS
WITH
  captions_of_either_source AS (
    SELECT
      bank.caption_id,
      bank.caption_text,
      bank.price_tier,
      bank.content_category,
      bank.has_urgency,
      1 AS preference
    FROM `of-scheduler-proj.eros_scheduling_brain.caption_bank` AS bank
    UNION ALL
    SELECT
      older.caption_id,
      older.caption_text,
      older.price_tier,
      older.content_category,
      older.has_urgency,
      2 AS preference
    FROM `of-scheduler-proj.eros_scheduling_brain.captions` AS older
  ),
  one_caption_for_each_id AS (
    SELECT caption_id, caption_text, price_tier, content_category, has_urgency
    FROM captions_of_either_source
    -- among duplicates of one source the choice is arbitrary but always the same
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY caption_id
        ORDER BY
          preference,
          caption_text NULLS LAST,
          price_tier NULLS LAST,
          content_category NULLS LAST,
          has_urgency NULLS LAST
      ) = 1
  ),
  newest_stats_of_each_caption AS (
    SELECT
      stats.page_name,
      stats.caption_id,
      stats.avg_conversion_rate,
      stats.confidence_lower_bound,
      stats.confidence_upper_bound,
      stats.total_observations,
      stats.last_updated
    FROM `of-scheduler-proj.eros_scheduling_brain.caption_bandit_stats` AS stats
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY stats.page_name, stats.caption_id
        ORDER BY stats.last_updated DESC, stats.total_observations DESC, stats.avg_conversion_rate DESC
      ) = 1
  )
SELECT
  slot.schedule_id,
  slot.page_name,
  slot.day_of_week,
  slot.scheduled_send_time,
  slot.message_type,
  slot.caption_id,
  caption.caption_text,
  caption.price_tier,
  caption.content_category,
  caption.has_urgency,
  stats.avg_conversion_rate AS performance_score,
  stats.confidence_lower_bound,
  stats.confidence_upper_bound,
  stats.total_observations,
  stats.last_updated AS caption_last_updated,
  slot.created_at AS schedule_created_at,
  slot.is_active AS schedule_is_active,
  slot.time_slot_rank
FROM `of-scheduler-proj.eros_scheduling_brain.schedule_recommendations` AS slot
LEFT JOIN one_caption_for_each_id AS caption
  ON slot.caption_id = caption.caption_id
LEFT JOIN newest_stats_of_each_caption AS stats
  ON slot.page_name = stats.page_name
  AND slot.caption_id = stats.caption_id
WHERE slot.is_active;
