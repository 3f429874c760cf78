-- Several times a day, by the clock of Los Angeles: the bandit's statistics.
--
-- Inputs:     @run_time, the intended time of the run.
-- Guarantees: does nothing, and reads no table, unless the run time lies in one of its hours in Los Angeles.
-- Cost:       90 days of the messages, several times per day.
IF EXTRACT(HOUR FROM @run_time AT TIME ZONE 'America/Los_Angeles') IN (0, 6, 12, 18) THEN
  CALL `of-scheduler-proj.eros_scheduling_brain.update_caption_performance`();
END IF;
