-- Invalid statistics of captions: negative counts, bounds outside 0 and 1 or in the wrong order.
--
-- Guarantees: WARNING; NULL is not a violation.
-- Cost:       90 days of caption_bandit_stats: 9 of its columns.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.statistics_out_of_bounds`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  page_name STRING,
  caption_id INT64,
  problems INT64
>
OPTIONS (description = 'Statistics of captions with negative counts, or bounds that cannot be.')
AS
SELECT
  FORMAT('%s caption %d', stats.page_name, stats.caption_id) AS subject,
  'WARNING' AS status,
  FORMAT(
    'successes %t, failures %t, observations %t, bounds %t to %t, exploration %t, percentile %t',
    stats.successes,
    stats.failures,
    stats.total_observations,
    stats.confidence_lower_bound,
    stats.confidence_upper_bound,
    stats.exploration_score,
    stats.performance_percentile
  ) AS details,
  stats.page_name,
  stats.caption_id,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.caption_bandit_stats` AS stats
WHERE stats.successes < 0
  OR stats.failures < 0
  OR stats.total_observations < 0
  OR stats.confidence_lower_bound < 0
  OR stats.confidence_upper_bound > 1
  OR stats.confidence_lower_bound > stats.confidence_upper_bound
  OR NOT (stats.exploration_score BETWEEN 0 AND 1)
  OR NOT (stats.performance_percentile BETWEEN 0 AND 100)
ORDER BY stats.page_name, stats.caption_id
LIMIT 50;
