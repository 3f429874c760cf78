-- CRITICAL alerts of the last 7 days that nobody has acknowledged.
--
-- Guarantees: CRITICAL.
-- Cost:       7 days of automation_alerts.
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
  alert.alert_id AS subject,
  'CRITICAL' AS status,
  FORMAT(
    '%s, %s: %s',
    FORMAT_TIMESTAMP('%F %R', alert.alert_time, 'America/Los_Angeles'),
    alert.alert_source,
    COALESCE(alert.alert_message, 'no message')
  ) AS details,
  alert.alert_id,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.automation_alerts` AS alert
WHERE alert.alert_level = 'CRITICAL'
  AND NOT alert.acknowledged
  AND alert.alert_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
ORDER BY alert.alert_time DESC, alert.alert_id
LIMIT 50;
