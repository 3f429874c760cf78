-- Once a day, at night in Los Angeles: reports, queue and sweep of that day.
--
-- Inputs:     @run_time, the intended time of the run.
-- Guarantees: does nothing, and reads no table, unless the run time lies in its hour in Los Angeles, which every day has
--             once, also the two on which the clocks change.
-- Cost:       90 days of the messages, once a day.
IF EXTRACT(HOUR FROM @run_time AT TIME ZONE 'America/Los_Angeles') IN (3) THEN
  CALL `of-scheduler-proj.eros_scheduling_brain.run_daily_automation`(
    DATE(@run_time, 'America/Los_Angeles')
  );
END IF;
