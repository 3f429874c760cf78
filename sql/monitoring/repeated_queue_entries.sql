-- Creators that are queued more than once for a day: their schedule would be generated twice.
--
-- Cost: two columns of schedule_generation_queue.
SELECT queue.execution_date, queue.page_name, COUNT(*) AS times
FROM `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
GROUP BY queue.execution_date, queue.page_name
HAVING COUNT(*) > 1
ORDER BY queue.execution_date DESC, queue.page_name
LIMIT 100;
