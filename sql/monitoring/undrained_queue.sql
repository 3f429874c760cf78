-- Creators that were queued for a day that has passed and whose schedule was neither generated nor given up.
--
-- Guarantees: WARNING; no row for entries that were queued today, for any day.
-- Cost:       90 days of schedule_generation_queue.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.undrained_queue`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  execution_date DATE,
  queue_status STRING,
  problems INT64
>
OPTIONS (description = 'Queue entries of past days that nobody took.')
AS
SELECT
  FORMAT('%t %s', queue.execution_date, queue.status) AS subject,
  'WARNING' AS status,
  FORMAT(
    '%d creators wait, the first of them since %s',
    COUNT(*),
    FORMAT_TIMESTAMP('%F %R', MIN(queue.queued_at), 'America/Los_Angeles')
  ) AS details,
  queue.execution_date,
  queue.status AS queue_status,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
WHERE queue.status IN ('PENDING', 'PROCESSING')
  AND queue.execution_date < CURRENT_DATE('America/Los_Angeles')
  AND DATE(queue.queued_at, 'America/Los_Angeles') < CURRENT_DATE('America/Los_Angeles')
GROUP BY queue.execution_date, queue.status
ORDER BY queue.execution_date DESC, queue.status
LIMIT 50;
