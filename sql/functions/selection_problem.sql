-- What is wrong with the arguments of a caption selection, as a message; NULL if nothing is.
--
-- Inputs:     the page and how many captions of each price tier are wanted.
-- Guarantees: names the argument and its value.
-- Cost:       reads no table.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.selection_problem`(
  p_page_name STRING,
  p_budget_needed INT64,
  p_mid_needed INT64,
  p_premium_needed INT64,
  p_bump_needed INT64
)
RETURNS STRING
OPTIONS (description = 'What is wrong with the arguments of a caption selection; NULL where nothing is.')
AS (
  CASE
    WHEN COALESCE(TRIM(p_page_name), '') = '' THEN 'normalized_page_name is blank: name the creator'
    WHEN COALESCE(LEAST(p_budget_needed, p_mid_needed, p_premium_needed, p_bump_needed), -1) < 0
      THEN FORMAT(
        'the numbers of captions must be 0 or more; got budget %t, mid %t, premium %t, bump %t',
        p_budget_needed,
        p_mid_needed,
        p_premium_needed,
        p_bump_needed
      )
  END
);

-- Tests
ASSERT `of-scheduler-proj.eros_scheduling_brain.selection_problem`('page', 0, 1, 2, 3) IS NULL AS 'good arguments';
ASSERT `of-scheduler-proj.eros_scheduling_brain.selection_problem`(' ', 0, 1, 2, 3) LIKE '%blank%' AS 'a blank page';
ASSERT `of-scheduler-proj.eros_scheduling_brain.selection_problem`(NULL, 0, 1, 2, 3) LIKE '%blank%' AS 'no page';
ASSERT `of-scheduler-proj.eros_scheduling_brain.selection_problem`('page', 0, -1, 2, 3) LIKE '%mid -1%' AS 'a negative number';
ASSERT `of-scheduler-proj.eros_scheduling_brain.selection_problem`('page', 0, 1, NULL, 3) LIKE '%premium NULL%' AS 'no number';
