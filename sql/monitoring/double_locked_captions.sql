-- Captions that are locked more than once for one creator: a person would get the same message twice.
--
-- Guarantees: CRITICAL; active locks for today or later, or without a day, of several schedules or of one. The lock to
--             keep is the oldest one.
-- Cost:       one read of active_caption_assignments.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.double_locked_captions`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  page_name STRING,
  caption_id INT64,
  kept_schedule_id STRING,
  kept_assigned_at TIMESTAMP,
  problems INT64
>
OPTIONS (description = 'Captions that are locked more than once for one creator.')
AS
WITH
  locks AS (
    SELECT
      assignment.page_name,
      assignment.caption_id,
      COALESCE(assignment.schedule_id, assignment.assignment_key, 'no schedule') AS schedule_id,
      assignment.scheduled_send_date,
      COALESCE(assignment.assigned_at, TIMESTAMP '1970-01-01 00:00:00+00') AS assigned_at
    FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS assignment
    WHERE assignment.is_active
      AND assignment.page_name IS NOT NULL
      AND assignment.caption_id IS NOT NULL
      AND COALESCE(assignment.scheduled_send_date >= CURRENT_DATE('America/Los_Angeles'), TRUE)
  )
SELECT
  FORMAT('%s caption %d', locked.page_name, locked.caption_id) AS subject,
  'CRITICAL' AS status,
  FORMAT(
    'is locked %d times: %s',
    COUNT(*),
    STRING_AGG(
      FORMAT('%s for %t', locked.schedule_id, locked.scheduled_send_date),
      ', '
      ORDER BY locked.assigned_at, locked.schedule_id
      LIMIT 10
    )
  ) AS details,
  locked.page_name,
  locked.caption_id,
  ARRAY_AGG(locked.schedule_id ORDER BY locked.assigned_at, locked.schedule_id LIMIT 1)[OFFSET(0)] AS kept_schedule_id,
  MIN(locked.assigned_at) AS kept_assigned_at,
  COUNT(*) OVER () AS problems
FROM locks AS locked
GROUP BY locked.page_name, locked.caption_id
HAVING COUNT(*) > 1
ORDER BY COUNT(*) DESC, locked.page_name, locked.caption_id
LIMIT 50;
