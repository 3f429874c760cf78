-- The caption key under its first name, for callers that still use it; the same as caption_key_v2.
--
-- Inputs:     the message; NULL gives NULL.
-- Guarantees: the same key as caption_key_v2, always.
-- Cost:       reads no table.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.caption_key`(message STRING)
RETURNS STRING
OPTIONS (description = 'The caption key: caption_key_v2 under its first name.')
AS (
  `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`(message)
);

-- Tests
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key`('Last chance: 20 % off tonight')
  = TO_HEX(SHA256('last chance 20 off tonight')) AS 'the key of the normalised text';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key`(NULL) IS NULL AS 'NULL gives NULL';
