-- What the caption bandit knows: one row per caption of a page, recomputed from the messages.
--
-- Guarantees: written by update_caption_performance only; a row that is not renewed expires 90 days after its last update.
-- Cost:       partitioned by the day of last_updated; clustered for look-ups by page and caption.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.caption_bandit_stats` (
  caption_id INT64 NOT NULL OPTIONS (description = 'The caption, as in caption_bank.'),
  page_name STRING NOT NULL OPTIONS (description = 'The creator page that the caption was sent for.'),
  successes INT64 OPTIONS (description = '1 + messages of the window whose EMV was above the page median.'),
  failures INT64 OPTIONS (description = '1 + the other messages of the window.'),
  total_observations INT64 OPTIONS (description = 'Messages of the window that count.'),
  total_revenue FLOAT64 OPTIONS (description = 'Earnings of those messages, in US dollars.'),
  avg_conversion_rate FLOAT64 OPTIONS (description = 'Purchases divided by messages sent, over the window.'),
  avg_emv FLOAT64 OPTIONS (description = 'Mean expected monetary value (purchased / viewed x earnings), in US dollars.'),
  last_emv_observed FLOAT64 OPTIONS (description = 'EMV of the newest message, in US dollars.'),
  confidence_lower_bound FLOAT64 OPTIONS (description = 'Lower end of the 95 % Wilson interval of the success rate.'),
  confidence_upper_bound FLOAT64 OPTIONS (description = 'Upper end of the 95 % Wilson interval of the success rate.'),
  exploration_score FLOAT64 OPTIONS (description = '1 / sqrt(n + 1): how much is still to be learned.'),
  last_used TIMESTAMP OPTIONS (description = 'When the newest message of the window was sent.'),
  last_updated TIMESTAMP NOT NULL OPTIONS (description = 'When the row last changed; the partition column.'),
  performance_percentile INT64 OPTIONS (description = '100 x percent rank of avg_emv within the page, rounded.')
)
PARTITION BY DATE(last_updated)
CLUSTER BY page_name, caption_id, last_used
OPTIONS (
  description = 'Successes and failures of each caption on each page, with their Wilson interval: what the caption bandit draws from.',
  partition_expiration_days = 90,
  labels = [('system', 'eros'), ('component', 'bandit'), ('retention', '90d')]
);
