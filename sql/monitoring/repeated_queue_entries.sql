-- Creators that are queued more than once for a day: their schedule would be generated twice.
--
-- Guarantees: WARNING.
-- Cost:       two columns of schedule_generation_queue.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.repeated_queue_entries`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  page_name STRING,
  execution_date DATE,
  problems INT64
>
OPTIONS (description = 'Creators that are queued more than once for a day.')
AS
SELECT
  FORMAT('%s %t', queue.page_name, queue.execution_date) AS subject,
  'WARNING' AS status,
  FORMAT('is queued %d times', COUNT(*)) AS details,
  queue.page_name,
  queue.execution_date,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.schedule_generation_queue` AS queue
GROUP BY queue.page_name, queue.execution_date
HAVING COUNT(*) > 1
ORDER BY queue.execution_date DESC, queue.page_name
LIMIT 50;
