-- Leases that have expired and that nobody freed: their runs were cut off.
--
-- Guarantees: WARNING; another run of the same name takes such a lease, and the name of a daily run has its day.
-- Cost:       one read of leases.
CREATE OR REPLACE TABLE FUNCTION `of-scheduler-proj.eros_scheduling_brain.expired_leases`()
RETURNS TABLE<
  subject STRING,
  status STRING,
  details STRING,
  lease_name STRING,
  holder STRING,
  problems INT64
>
OPTIONS (description = 'Leases that have expired and that nobody freed.')
AS
SELECT
  lease.lease_name AS subject,
  'WARNING' AS status,
  FORMAT(
    'run %s did not free it; it expired at %s',
    lease.holder,
    FORMAT_TIMESTAMP('%F %R', lease.expires_at, 'America/Los_Angeles')
  ) AS details,
  lease.lease_name,
  lease.holder,
  COUNT(*) OVER () AS problems
FROM `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
WHERE lease.holder IS NOT NULL
  AND lease.lease_name != 'check_health'
  AND lease.expires_at <= CURRENT_TIMESTAMP()
ORDER BY lease.expires_at, lease.lease_name
LIMIT 50;
