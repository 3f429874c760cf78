-- CRITICAL alerts that nobody has acknowledged.
--
-- Guarantees: CRITICAL; however old, as long as the table keeps them.
-- Cost:       90 days of automation_alerts.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.unacknowledged_alerts`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  alert_id STRING,
  problems INT64
>
OPTIONS (description = 'CRITICAL alerts that nobody has acknowledged.')
AS
SELECT
  FORMAT('%s %s', alert.alert_source, FORMAT_TIMESTAMP('%F %R', alert.alert_time, 'America/Los_Angeles')) AS subject,
  'CRITICAL' AS status,
  COALESCE(alert.alert_message, 'no message') AS details,
  alert.alert_id,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.automation_alerts` AS alert
WHERE alert.alert_level = 'CRITICAL' AND NOT alert.acknowledged
ORDER BY alert.alert_time DESC, alert.alert_id
LIMIT 50;
