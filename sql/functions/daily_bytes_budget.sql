-- How many bytes the queries that read this dataset may be billed in 24 hours.
--
-- Guarantees: what the operators' budgets add up to: four performance updates of 5 GB, a daily run of 2 GB; and 15 GB for
--             health, 24 looks at 41 tables of at least 10 MB, and 5 GB for selections and people.
-- Cost:       reads no table.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.daily_bytes_budget`()
RETURNS INT64
OPTIONS (description = 'Bytes that the queries that read this dataset may be billed in 24 hours.')
AS (
  (4 * 5 + 2 + 15 + 5) * 1024 * 1024 * 1024
);

-- Tests
ASSERT `of-scheduler-proj.eros_scheduling_brain.daily_bytes_budget`() = 45097156608 AS '42 GB';
