-- Every hour: release the locks whose day has passed. It works in every hour of Los Angeles, so it needs no guard.
--
-- Guarantees: may run any number of times; two at the same time never count a lock twice.
-- Cost:       one pass over the active assignments.
CALL `of-scheduler-proj.eros_scheduling_brain.sweep_expired_caption_locks`();
