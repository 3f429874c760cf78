-- Caption locks that are active although their day has passed, counted by page: the sweep releases them.
--
-- Guarantees: the rule is the sweep's own, see sweep_expired_caption_locks.
-- Cost:       one read of active_caption_assignments.
SELECT
  assignment.page_name,
  COUNT(*) AS locks,
  MIN(assignment.scheduled_send_date) AS oldest_scheduled_send_date,
  MIN(assignment.assigned_at) AS oldest_assigned_at
FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS assignment
WHERE assignment.is_active
  AND (
    assignment.scheduled_send_date < CURRENT_DATE('America/Los_Angeles')
    OR (
      assignment.scheduled_send_date IS NULL
      AND assignment.assigned_at <= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 7 * 24 HOUR)
    )
  )
GROUP BY assignment.page_name
ORDER BY COUNT(*) DESC, assignment.page_name
LIMIT 100;
