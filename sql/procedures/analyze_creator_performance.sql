-- The performance report of one page, as JSON text.
--
-- Inputs:     the page. What the report holds is said in creator_reports; its windows are 90 days and end now.
-- Guarantees: changes nothing. A blank page, and one without a message in the window, is a clear error.
-- Cost:       one statement over 90 days of mass_messages.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.analyze_creator_performance`(
  IN p_page_name STRING,
  OUT performance_report STRING
)
OPTIONS (description = 'The performance report of one page, as JSON text.')
BEGIN
  SET performance_report = (
    SELECT TO_JSON_STRING(found.report)
    FROM `of-scheduler-proj.eros_scheduling_brain.creator_reports`(
      p_page_name,
      p_page_name,
      CURRENT_TIMESTAMP(),
      NULL
    ) AS found
    WHERE found.page_name = p_page_name
  );
  IF performance_report IS NULL THEN
    RAISE USING MESSAGE = FORMAT(
      'analyze_creator_performance: page %t has no message in the last 90 days; is the name right?',
      p_page_name
    );
  END IF;
END;

-- Tests
BEGIN
  DECLARE v_report STRING;
  CALL `of-scheduler-proj.eros_scheduling_brain.analyze_creator_performance`('no such page', v_report);
  ASSERT FALSE AS 'an unknown page must be refused';
EXCEPTION WHEN ERROR THEN
  ASSERT @@error.message LIKE '%no such page%' AS 'an unknown page: a clear error';
END;
