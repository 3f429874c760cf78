-- Whether the fans of a page are tired: saturation_scores for one page and account size, now.
--
-- Inputs:     the page; its account size (MICRO, SMALL, MEDIUM, LARGE or MEGA), as classify_account_size gives it.
-- Guarantees: one row; none for a page without a message in 90 days, or another account size.
-- Cost:       one read of 90 days in mass_messages.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.calculate_saturation_score`(
  p_page_name STRING,
  p_account_size_tier STRING
)
RETURNS TABLE<
  saturation_score FLOAT64,
  risk_level STRING,
  unlock_rate_deviation FLOAT64,
  emv_deviation FLOAT64,
  consecutive_underperform_days INT64,
  recommended_action STRING,
  volume_adjustment_factor FLOAT64,
  confidence_score FLOAT64,
  exclusion_reason STRING
>
OPTIONS (description = 'Saturation of a page of a given account size, with the recommended change of volume.')
AS
SELECT
  found.saturation_score,
  found.risk_level,
  found.unlock_rate_deviation,
  found.emv_deviation,
  found.consecutive_underperform_days,
  found.recommended_action,
  found.volume_adjustment_factor,
  found.confidence_score,
  found.exclusion_reason
FROM `of-scheduler-proj.eros_scheduling_brain.saturation_scores`(p_page_name, p_page_name, CURRENT_TIMESTAMP(), NULL) AS found
WHERE found.page_name = p_page_name AND found.account_size_tier = p_account_size_tier;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.calculate_saturation_score`('no such page', 'MICRO')
) = 0 AS 'an unknown page gives no row';
