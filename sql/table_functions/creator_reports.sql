-- The performance report of each page, as JSON.
--
-- Inputs:     the first and the last page by name, NULL for no bound; the instant at which the
--             windows of 90 days end; whether all pages together are weak, NULL: look (platform_headwind).
-- Guarantees: one row per page with a message in the window. The best 10 triggers by lift of rpr, 15 categories and
--             20 hours by rpr; lists without a row are empty. data_freshness is the end of the last successful
--             update_caption_performance, NULL before the first.
-- Cost:       one statement over 90 days of mass_messages, for any number of pages.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.creator_reports`(
  p_first_page STRING,
  p_last_page STRING,
  p_as_of TIMESTAMP,
  p_is_headwind BOOL
)
RETURNS TABLE<
  page_name STRING,
  report JSON
>
OPTIONS (description = 'Performance reports of one page or all pages, as JSON.')
AS
WITH
  freshness AS (
    SELECT MAX(run.job_end_time) AS data_freshness
    FROM `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
    WHERE run.job_name = 'update_caption_performance' AND run.job_status = 'SUCCESS'
  ),
  accounts AS (
    SELECT
      page_name,
      size_tier,
      avg_audience,
      total_revenue_period,
      daily_ppv_target_min,
      daily_ppv_target_max,
      daily_bump_target,
      min_ppv_gap_minutes,
      saturation_tolerance
    FROM `of-scheduler-proj.eros_scheduling_brain.account_sizes`(p_first_page, p_last_page, p_as_of, 90)
  ),
  segments AS (
    SELECT
      page_name,
      STRUCT(
        segment_label,
        avg_rpr,
        avg_conv,
        rpr_price_slope,
        rpr_price_corr,
        conv_price_elasticity_proxy,
        category_entropy,
        sample_size
      ) AS behavioral_segment
    FROM `of-scheduler-proj.eros_scheduling_brain.behavioral_segments`(p_first_page, p_last_page, p_as_of, 90)
  ),
  saturation_by_tier AS (
    SELECT
      page_name,
      account_size_tier,
      STRUCT(
        saturation_score,
        risk_level,
        unlock_rate_deviation,
        emv_deviation,
        consecutive_underperform_days,
        recommended_action,
        volume_adjustment_factor,
        confidence_score,
        exclusion_reason
      ) AS saturation
    FROM `of-scheduler-proj.eros_scheduling_brain.saturation_scores`(
      p_first_page,
      p_last_page,
      p_as_of,
      p_is_headwind
    )
  ),
  compared_groups AS (
    SELECT
      page_name,
      dimension,
      member,
      msg_count,
      avg_rpr,
      avg_conv,
      rpr_lift_pct,
      conv_lift_pct,
      rpr_t,
      rpr_stat_sig,
      conv_stat_sig,
      purchases,
      views
    FROM `of-scheduler-proj.eros_scheduling_brain.group_comparisons`(p_first_page, p_last_page, p_as_of, 90)
  ),
  triggers AS (
    SELECT
      page_name,
      ARRAY_AGG(
        STRUCT(
          member AS psychological_trigger,
          msg_count,
          avg_rpr,
          avg_conv,
          rpr_lift_pct,
          conv_lift_pct,
          conv_stat_sig,
          rpr_stat_sig,
          `of-scheduler-proj.eros_scheduling_brain.conversion_interval`(purchases, views) AS conv_ci
        )
        ORDER BY rpr_lift_pct DESC, member
        LIMIT 10
      ) AS psychological_trigger_analysis
    FROM compared_groups
    WHERE dimension = 'psychological_trigger'
    GROUP BY page_name
  ),
  weekdays AS (
    SELECT
      page_name,
      ARRAY_AGG(
        STRUCT(
          CAST(member AS INT64) AS day_of_week_la,
          msg_count AS n,
          avg_rpr,
          avg_conv,
          rpr_t AS t_rpr_approx,
          rpr_stat_sig
        )
        ORDER BY member
      ) AS day_of_week_patterns
    FROM compared_groups
    WHERE dimension = 'day_of_week_la'
    GROUP BY page_name
  ),
  categories AS (
    SELECT
      page_name,
      ARRAY_AGG(
        STRUCT(
          content_category,
          price_tier,
          msg_count,
          avg_rpr,
          avg_conv,
          trend_pct,
          trend_direction,
          price_sensitivity_corr,
          best_price_tier
        )
        ORDER BY avg_rpr DESC, content_category, price_tier
        LIMIT 15
      ) AS content_category_performance
    FROM `of-scheduler-proj.eros_scheduling_brain.category_performance`(p_first_page, p_last_page, p_as_of, 90)
    GROUP BY page_name
  ),
  hours AS (
    SELECT
      page_name,
      ARRAY_AGG(
        STRUCT(day_type, hour_la, n, avg_rpr, avg_conv, confidence)
        ORDER BY avg_rpr DESC, day_type, hour_la
        LIMIT 20
      ) AS time_window_optimization
    FROM `of-scheduler-proj.eros_scheduling_brain.time_window_performance`(p_first_page, p_last_page, p_as_of, 90)
    GROUP BY page_name
  ),
  newest_inventories AS (
    SELECT inventory.page_name, inventory.available_categories
    FROM `of-scheduler-proj.eros_scheduling_brain.creator_content_inventory` AS inventory
    WHERE inventory.page_name BETWEEN COALESCE(p_first_page, '') AND COALESCE(p_last_page, inventory.page_name)
    QUALIFY
      ROW_NUMBER() OVER (
        PARTITION BY inventory.page_name
        ORDER BY inventory.inventory_date DESC, ARRAY_LENGTH(inventory.available_categories) DESC
      ) = 1
  )
SELECT
  account.page_name,
  TO_JSON(
    STRUCT(
      account.page_name AS creator_name,
      FORMAT_TIMESTAMP('%FT%TZ', p_as_of, 'UTC') AS analysis_timestamp,
      FORMAT_TIMESTAMP('%FT%TZ', freshness.data_freshness, 'UTC') AS data_freshness,
      STRUCT(
        account.size_tier,
        account.avg_audience,
        account.total_revenue_period,
        account.daily_ppv_target_min,
        account.daily_ppv_target_max,
        account.daily_bump_target,
        account.min_ppv_gap_minutes,
        account.saturation_tolerance
      ) AS account_classification,
      segment.behavioral_segment,
      saturation.saturation,
      IFNULL(triggers.psychological_trigger_analysis, []) AS psychological_trigger_analysis,
      IFNULL(categories.content_category_performance, []) AS content_category_performance,
      IFNULL(weekdays.day_of_week_patterns, []) AS day_of_week_patterns,
      IFNULL(hours.time_window_optimization, []) AS time_window_optimization,
      IFNULL(inventory.available_categories, []) AS available_categories
    )
  ) AS report
FROM accounts AS account
CROSS JOIN freshness
LEFT JOIN segments AS segment
  ON account.page_name = segment.page_name
LEFT JOIN saturation_by_tier AS saturation
  ON account.page_name = saturation.page_name AND account.size_tier = saturation.account_size_tier
LEFT JOIN triggers
  ON account.page_name = triggers.page_name
LEFT JOIN categories
  ON account.page_name = categories.page_name
LEFT JOIN weekdays
  ON account.page_name = weekdays.page_name
LEFT JOIN hours
  ON account.page_name = hours.page_name
LEFT JOIN newest_inventories AS inventory
  ON account.page_name = inventory.page_name;

-- Tests
ASSERT (
  SELECT COUNT(*) FROM `of-scheduler-proj.eros_scheduling_brain.creator_reports`(
    'no such page', 'no such page', CURRENT_TIMESTAMP(), NULL
  )
) = 0 AS 'an unknown page gives no report';
