-- The day's report and queue entry of one creator, or of all of them in the same statements.
--
-- Inputs:     the run, as in etl_job_runs; the Los Angeles day; the page, NULL for all pages with a message in the 30 days
--             before the day.
-- Guarantees: one report and one queue entry per page and day; existing ones are not changed, so it may run any number of
--             times. A creator is queued as PENDING when less than 80 % of the captions that it may
--             use are locked, or when there is no usable figure.
-- Cost:       two statements: 90 days of mass_messages for the reports, 30 for the saturation, and the captions.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.process_creators`(
  p_job_id STRING,
  p_day DATE,
  p_page_name STRING
)
OPTIONS (description = 'Makes the report and the queue entry of one creator or of all of them for a day.')
BEGIN
  DECLARE v_now TIMESTAMP DEFAULT CURRENT_TIMESTAMP();

  MERGE `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
  USING (
    SELECT creator.page_name, creator.saturation_pct
    FROM `of-scheduler-proj.eros_scheduling_brain.caption_saturation`(p_day, p_page_name) AS creator
    WHERE COALESCE(creator.saturation_pct, 0) < 80
  ) AS unsaturated
  ON queue.page_name = unsaturated.page_name
    AND queue.execution_date = p_day
  WHEN NOT MATCHED THEN
    INSERT (page_name, execution_date, saturation_pct, queued_at, status)
    VALUES (unsaturated.page_name, p_day, unsaturated.saturation_pct, v_now, 'PENDING');

  MERGE `of-scheduler-proj.eros_scheduling_brain.creator_performance_reports` AS existing
  USING (
    SELECT made.page_name, made.report
    FROM `of-scheduler-proj.eros_scheduling_brain.creator_reports`(p_page_name, v_now) AS made
    WHERE made.page_name IN (
      SELECT active.page_name
      FROM `of-scheduler-proj.eros_scheduling_brain.message_results`(
        p_page_name,
        TIMESTAMP(DATE_SUB(p_day, INTERVAL 30 DAY), 'America/Los_Angeles'),
        TIMESTAMP(p_day, 'America/Los_Angeles')
      ) AS active
    )
  ) AS fresh
  ON existing.page_name = fresh.page_name
    AND existing.execution_date = p_day
  WHEN NOT MATCHED THEN
    INSERT (page_name, execution_date, job_id, report, created_at)
    VALUES (fresh.page_name, p_day, p_job_id, fresh.report, v_now);
END;
