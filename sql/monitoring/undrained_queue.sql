-- Creators that were queued for a day that has passed and whose schedule was neither generated nor given up.
--
-- Guarantees: no rows for entries that were queued within the last 24 hours, for any day.
-- Cost: 90 days of schedule_generation_queue.
SELECT queue.execution_date, queue.status, COUNT(*) AS creators, MIN(queue.queued_at) AS oldest_queued_at
FROM `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
WHERE queue.status IN ('PENDING', 'PROCESSING')
  AND queue.execution_date < CURRENT_DATE('America/Los_Angeles')
  AND queue.queued_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 24 HOUR)
GROUP BY queue.execution_date, queue.status
ORDER BY queue.execution_date DESC, queue.status
LIMIT 100;
