-- Brings caption_bandit_stats up to date with the messages of the last 90 days; every 6 hours, 10 minutes at most.
--
-- Inputs:     mass_messages and caption_bank, by caption_performance, which says what counts and how.
-- Guarantees: each row is recomputed from the messages, so late views and purchases count and nothing counts twice.
--             A row is written only when it changes, or when its partition would expire within 30 days; of duplicate
--             rows the older is deleted; rows with no message in the window are left to expire. One row in
--             etl_job_runs per run; COMPLETED_NO_WORK without messages. One run at a time: another ends as SKIPPED. The
--             change is one statement, so a run cut off anywhere leaves all of it or nothing, and the next one does it.
-- Cost:       a constant number of statements; reads 90 days of mass_messages, caption_bank and caption_bandit_stats.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.update_caption_performance`()
OPTIONS (description = 'Recomputes the bandit statistics of each caption and page and writes what has changed.')
BEGIN
  DECLARE v_now TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_job_id STRING;
  DECLARE v_pages INT64;
  DECLARE v_error STRING;

  CALL `of-scheduler-proj.eros_scheduling_brain.begin_job_run`(
    'update_caption_performance',
    'update_caption_performance',
    CURRENT_DATE('America/Los_Angeles'),
    10,
    v_job_id
  );

  IF v_job_id IS NOT NULL THEN
    BEGIN
      SET v_pages = (
        SELECT COUNT(DISTINCT sent.page_name)
        FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
          NULL,
          NULL,
          TIMESTAMP_SUB(v_now, INTERVAL 90 DAY),
          v_now
        ) AS sent
        WHERE sent.viewed_count > 0
      );

      MERGE `of-scheduler-proj.eros_scheduling_brain.caption_bandit_stats` AS stats
      USING (
        SELECT
          performance.caption_id,
          performance.page_name,
          performance.successes,
          performance.failures,
          performance.total_observations,
          performance.total_revenue,
          performance.avg_conversion_rate,
          performance.avg_emv,
          performance.last_emv_observed,
          performance.confidence_lower_bound,
          performance.confidence_upper_bound,
          performance.exploration_score,
          performance.last_used,
          performance.performance_percentile,
          existing.newest_update
        FROM `of-scheduler-proj.eros_scheduling_brain.caption_performance`(v_now) AS performance
        LEFT JOIN (
          SELECT page_name, caption_id, MAX(last_updated) AS newest_update
          FROM `of-scheduler-proj.eros_scheduling_brain.caption_bandit_stats`
          GROUP BY page_name, caption_id
        ) AS existing
          ON performance.page_name = existing.page_name
          AND performance.caption_id = existing.caption_id
      ) AS computed
      ON stats.page_name = computed.page_name
        AND stats.caption_id = computed.caption_id
      WHEN MATCHED AND stats.last_updated < computed.newest_update THEN
        DELETE
      WHEN MATCHED
        AND (
          stats.last_updated < TIMESTAMP_SUB(v_now, INTERVAL 60 DAY)
          OR stats.successes IS DISTINCT FROM computed.successes
          OR stats.failures IS DISTINCT FROM computed.failures
          OR stats.total_observations IS DISTINCT FROM computed.total_observations
          OR stats.total_revenue IS DISTINCT FROM computed.total_revenue
          OR stats.avg_conversion_rate IS DISTINCT FROM computed.avg_conversion_rate
          OR stats.avg_emv IS DISTINCT FROM computed.avg_emv
          OR stats.last_emv_observed IS DISTINCT FROM computed.last_emv_observed
          OR stats.confidence_lower_bound IS DISTINCT FROM computed.confidence_lower_bound
          OR stats.confidence_upper_bound IS DISTINCT FROM computed.confidence_upper_bound
          OR stats.exploration_score IS DISTINCT FROM computed.exploration_score
          OR stats.last_used IS DISTINCT FROM computed.last_used
          OR stats.performance_percentile IS DISTINCT FROM computed.performance_percentile
        )
      THEN
        UPDATE SET
          successes = computed.successes,
          failures = computed.failures,
          total_observations = computed.total_observations,
          total_revenue = computed.total_revenue,
          avg_conversion_rate = computed.avg_conversion_rate,
          avg_emv = computed.avg_emv,
          last_emv_observed = computed.last_emv_observed,
          confidence_lower_bound = computed.confidence_lower_bound,
          confidence_upper_bound = computed.confidence_upper_bound,
          exploration_score = computed.exploration_score,
          last_used = computed.last_used,
          last_updated = v_now,
          performance_percentile = computed.performance_percentile
      WHEN NOT MATCHED THEN
        INSERT (
          caption_id,
          page_name,
          successes,
          failures,
          total_observations,
          total_revenue,
          avg_conversion_rate,
          avg_emv,
          last_emv_observed,
          confidence_lower_bound,
          confidence_upper_bound,
          exploration_score,
          last_used,
          last_updated,
          performance_percentile
        )
        VALUES (
          computed.caption_id,
          computed.page_name,
          computed.successes,
          computed.failures,
          computed.total_observations,
          computed.total_revenue,
          computed.avg_conversion_rate,
          computed.avg_emv,
          computed.last_emv_observed,
          computed.confidence_lower_bound,
          computed.confidence_upper_bound,
          computed.exploration_score,
          computed.last_used,
          v_now,
          computed.performance_percentile
        );

      CALL `of-scheduler-proj.eros_scheduling_brain.end_job_run`(
        v_job_id,
        IF(v_pages > 0, 'SUCCESS', 'COMPLETED_NO_WORK'),
        v_pages,
        0,
        NULL
      );
    EXCEPTION WHEN ERROR THEN
      SET v_error = @@error.message;
      CALL `of-scheduler-proj.eros_scheduling_brain.end_job_run`(v_job_id, 'FAILED', NULL, NULL, v_error);
      RAISE USING MESSAGE = CONCAT('update_caption_performance: ', v_error);
    END;
  END IF;
END;
