-- Leases whose holder no longer runs: it was cut off, and its job waits until the lease expires.
--
-- Cost: leases, and 90 days of etl_job_runs.
SELECT lease.lease_name, lease.holder, lease.acquired_at, lease.expires_at
FROM `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
  ON run.job_id = lease.holder AND run.job_status = 'RUNNING'
WHERE lease.holder IS NOT NULL
  AND lease.expires_at > CURRENT_TIMESTAMP()
  AND run.job_id IS NULL
ORDER BY lease.lease_name
LIMIT 100;
