-- Once a year, early on 1 January in Los Angeles: the holidays up to two years ahead.
--
-- Inputs:     @run_time, the intended time of the run.
-- Guarantees: does nothing unless the run time lies in its hour in Los Angeles; may run any number of times.
-- Cost:       one MERGE into a few hundred rows.
IF EXTRACT(HOUR FROM @run_time AT TIME ZONE 'America/Los_Angeles') IN (4) THEN
  CALL `of-scheduler-proj.eros_scheduling_brain.seed_holiday_calendar`(
    2025,
    EXTRACT(YEAR FROM @run_time AT TIME ZONE 'America/Los_Angeles') + 2
  );
END IF;
