-- Captions that have more than one row of statistics for a page.
--
-- Cost: two columns of caption_bandit_stats.
SELECT stats.page_name, stats.caption_id, COUNT(*) AS times
FROM `of-scheduler-proj.eros_scheduling_brain.caption_bandit_stats` AS stats
GROUP BY stats.page_name, stats.caption_id
HAVING COUNT(*) > 1
ORDER BY stats.page_name, stats.caption_id
LIMIT 100;
