-- Schedules that got fewer captions than they asked for within the last 24 hours, with the reasons.
--
-- Guarantees: WARNING; the rows are alerts of lock_captions_for_creator that nobody has acknowledged.
-- Cost:       two days of automation_alerts.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.short_selections`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  alert_id STRING,
  problems INT64
>
OPTIONS (description = 'Schedules that got fewer captions than they asked for.')
AS
SELECT
  COALESCE(alert.job_id, alert.alert_id) AS subject,
  'WARNING' AS status,
  COALESCE(alert.alert_message, 'no message') AS details,
  alert.alert_id,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.automation_alerts` AS alert
WHERE alert.alert_source = 'lock_captions_for_creator'
  AND NOT alert.acknowledged
  AND alert.alert_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 24 HOUR)
ORDER BY alert.alert_time DESC, alert.alert_id
LIMIT 50;
