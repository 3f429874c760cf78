-- Captions that have more than one row of statistics for a page.
--
-- Guarantees: WARNING.
-- Cost:       two columns of caption_bandit_stats.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.repeated_statistics`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  page_name STRING,
  caption_id INT64,
  problems INT64
>
OPTIONS (description = 'Captions that have more than one row of statistics for a page.')
AS
SELECT
  FORMAT('%s caption %d', stats.page_name, stats.caption_id) AS subject,
  'WARNING' AS status,
  FORMAT('has %d rows', COUNT(*)) AS details,
  stats.page_name,
  stats.caption_id,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.caption_bandit_stats` AS stats
GROUP BY stats.page_name, stats.caption_id
HAVING COUNT(*) > 1
ORDER BY stats.page_name, stats.caption_id
LIMIT 50;
