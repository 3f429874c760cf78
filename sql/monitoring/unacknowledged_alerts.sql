-- CRITICAL alerts of the last 7 days that nobody has acknowledged.
--
-- Cost: 7 days of automation_alerts.
SELECT alert.alert_id, alert.alert_time, alert.alert_source, alert.alert_message, alert.job_id
FROM `of-scheduler-proj.eros_scheduling_brain.automation_alerts` AS alert
WHERE alert.alert_level = 'CRITICAL'
  AND NOT alert.acknowledged
  AND alert.alert_time >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
ORDER BY alert.alert_time DESC
LIMIT 100;
