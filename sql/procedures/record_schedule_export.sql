-- Writes down that a schedule was exported, or that its export failed.
--
-- Inputs:     the schedule and its page, neither blank; the number of messages and the seconds it took, NULL or 0 and more;
--             SUCCESS, PARTIAL or FAILED; why it did not succeed, NULL where it did; CSV, SHEETS or JSON; who asked for it.
-- Guarantees: one row in schedule_export_log, whose export_timestamp is when the export began: now less the seconds it took.
--             Anything else given is a clear error, and no row.
-- Cost:       one INSERT; reads no table.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.record_schedule_export`(
  p_schedule_id STRING,
  p_page_name STRING,
  p_message_count INT64,
  p_execution_time_seconds FLOAT64,
  p_status STRING,
  p_error_message STRING,
  p_export_format STRING,
  p_exported_by STRING
)
OPTIONS (description = 'Writes one row of schedule_export_log: when an export began, how much it has, how it ended.')
BEGIN
  DECLARE v_problem STRING DEFAULT (
    CASE
      WHEN COALESCE(TRIM(p_schedule_id), '') = '' THEN 'p_schedule_id is blank: name the schedule'
      WHEN COALESCE(TRIM(p_page_name), '') = '' THEN 'p_page_name is blank: name the page of the schedule'
      WHEN p_message_count < 0 THEN FORMAT('p_message_count is %d: it must be 0 or more', p_message_count)
      WHEN NOT (COALESCE(p_execution_time_seconds, 0) BETWEEN 0 AND 86400)
        THEN FORMAT('p_execution_time_seconds is %t: it must be from 0 to 86400, a day', p_execution_time_seconds)
      WHEN COALESCE(p_status NOT IN ('SUCCESS', 'PARTIAL', 'FAILED'), TRUE)
        THEN FORMAT('p_status is %t: it must be SUCCESS, PARTIAL or FAILED', p_status)
      WHEN COALESCE(p_export_format NOT IN ('CSV', 'SHEETS', 'JSON'), TRUE)
        THEN FORMAT('p_export_format is %t: it must be CSV, SHEETS or JSON', p_export_format)
    END
  );

  IF v_problem IS NOT NULL THEN
    RAISE USING MESSAGE = CONCAT('record_schedule_export: ', v_problem);
  END IF;

  INSERT INTO `of-scheduler-proj.eros_scheduling_brain.schedule_export_log` (
    schedule_id,
    page_name,
    export_timestamp,
    message_count,
    execution_time_seconds,
    status,
    error_message,
    export_format,
    exported_by
  )
  VALUES (
    p_schedule_id,
    p_page_name,
    TIMESTAMP_SUB(
      CURRENT_TIMESTAMP(),
      INTERVAL CAST(ROUND(COALESCE(p_execution_time_seconds, 0) * 1000000) AS INT64) MICROSECOND
    ),
    p_message_count,
    p_execution_time_seconds,
    p_status,
    p_error_message,
    p_export_format,
    p_exported_by
  );
END;

-- Tests
BEGIN
  CALL `of-scheduler-proj.eros_scheduling_brain.record_schedule_export`(
    'a schedule', 'a page', 1, 0.5, 'success', NULL, 'CSV', 'someone@example.com'
  );
  ASSERT FALSE AS 'an unknown status must be refused';
EXCEPTION WHEN ERROR THEN
  ASSERT @@error.message LIKE '%p_status is success%' AS 'an unknown status: a clear error';
END;
