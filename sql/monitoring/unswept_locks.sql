-- Caption locks that are active although their day passed more than an hour ago, counted by page.
--
-- Guarantees: WARNING; the rule is the sweep's own, see sweep_expired_caption_locks, which runs every hour.
-- Cost:       one read of active_caption_assignments.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.unswept_locks`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  problems INT64
>
OPTIONS (description = 'Caption locks that the sweep should have released.')
AS
SELECT
  COALESCE(assignment.page_name, 'no page') AS subject,
  'WARNING' AS status,
  FORMAT(
    '%d locks are active after their day, the oldest for %t',
    COUNT(*),
    MIN(COALESCE(assignment.scheduled_send_date, DATE(assignment.assigned_at, 'America/Los_Angeles')))
  ) AS details,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS assignment
WHERE assignment.is_active
  AND (
    assignment.scheduled_send_date
      < DATE(TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 HOUR), 'America/Los_Angeles')
    OR (
      assignment.scheduled_send_date IS NULL
      AND assignment.assigned_at <= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 + 1 HOUR)
    )
  )
GROUP BY assignment.page_name
ORDER BY COUNT(*) DESC, assignment.page_name
LIMIT 50;
