-- Every hour: locks whose day has passed are let go. Every hour of Los Angeles is its hour, so no guard is needed.
--
-- Guarantees: may run any number of times; two at once never count a lock twice.
-- Cost:       one pass over the active assignments.
CALL `of-scheduler-proj.eros_scheduling_brain.sweep_expired_caption_locks`();
