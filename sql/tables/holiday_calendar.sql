-- The days that move demand: holidays by date and name, computed by us_holidays and merged by seed_holiday_calendar.
--
-- Guarantees: one row per (holiday_date, holiday_name); a factor edited by hand survives every seeding;
--             rows expire after 6 years.
-- Cost:       a few hundred rows; partitioned by year.
CREATE TABLE IF NOT EXISTS `of-scheduler-proj.eros_scheduling_brain.holiday_calendar` (
  holiday_date DATE NOT NULL OPTIONS (description = 'The day, in Los Angeles.'),
  holiday_name STRING NOT NULL OPTIONS (description = 'The day\'s name; an observed day ends in \' (observed)\'.'),
  holiday_type STRING NOT NULL OPTIONS (description = 'FEDERAL, CULTURAL or COMMERCIAL.'),
  is_major_holiday BOOL NOT NULL OPTIONS (description = 'Whether demand that day says nothing about ordinary days.'),
  saturation_impact_factor FLOAT64 NOT NULL OPTIONS (description = 'How much of the usual demand is left, from 0 to 1.')
)
PARTITION BY DATE_TRUNC(holiday_date, YEAR)
OPTIONS (
  description = 'US federal, cultural and commercial days, with their effect on saturation.',
  partition_expiration_days = 2192,
  labels = [('system', 'eros'), ('component', 'calendar'), ('retention', '6y')]
);
