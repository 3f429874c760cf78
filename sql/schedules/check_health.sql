-- Every hour: ask every question of sql/monitoring/ and write down what was found. It works in every hour of Los Angeles,
-- so it needs no guard.
--
-- Guarantees: may run any number of times. It ends with an error where a CRITICAL finding was not told in the last 24 hours.
-- Cost:       see check_health.
CALL `of-scheduler-proj.eros_scheduling_brain.check_health`();
