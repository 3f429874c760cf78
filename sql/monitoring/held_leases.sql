-- Leases whose holder no longer runs: it was cut off, and its job waits until the lease expires.
--
-- Guarantees: WARNING; a lease of a creator's lock has no expiry and is never found.
-- Cost:       leases, and the ids and statuses of 90 days of etl_job_runs.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.held_leases`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  lease_name STRING,
  holder STRING,
  problems INT64
>
OPTIONS (description = 'Leases that are held without a running holder.')
AS
SELECT
  lease.lease_name AS subject,
  'WARNING' AS status,
  FORMAT(
    'is held by run %s, which does not run; it expires at %s',
    lease.holder,
    FORMAT_TIMESTAMP('%F %R', lease.expires_at, 'America/Los_Angeles')
  ) AS details,
  lease.lease_name,
  lease.holder,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.etl_job_runs` AS run
  ON run.job_id = lease.holder AND run.job_status = 'RUNNING'
WHERE lease.holder IS NOT NULL
  AND lease.lease_name != 'check_health'
  AND lease.expires_at > CURRENT_TIMESTAMP()
  AND run.job_id IS NULL
ORDER BY lease.lease_name
LIMIT 50;
