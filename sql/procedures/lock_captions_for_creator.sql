-- Chooses captions for a creator and locks them for a schedule, so that no other schedule gets them.
--
-- Inputs:     the schedule and the day that it is for, today or later; the rest as in select_captions_for_creator.
-- Guarantees: choice and locks are one transaction, and two for one creator cannot commit together, so no caption is
--             ever locked twice. The loser is tried again, five times in all, and then ends with a clear error. Called
--             again with the same schedule and creator it returns the same captions and locks nothing more. The draws
--             come from schedule, page and caption alone, so a decision can be replayed (scored_captions with the
--             schedule as its key) and explained. A schedule that gets fewer captions than it asked for writes one alert
--             (WARNING) with the reasons, see missing_captions. Do not call it inside a transaction.
-- Cost:       one INSERT of the chosen rows, and the reads of two selections; of a third where captions are missing.
CREATE OR REPLACE PROCEDURE `of-scheduler-proj.eros_scheduling_brain.lock_captions_for_creator`(
  p_schedule_id STRING,
  p_scheduled_send_date DATE,
  normalized_page_name STRING,
  behavioral_segment STRING,
  num_budget_needed INT64,
  num_mid_needed INT64,
  num_premium_needed INT64,
  num_bump_needed INT64
)
OPTIONS (description = 'Chooses captions for a creator and locks them for a schedule, in one transaction.')
BEGIN
  DECLARE v_now TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_today DATE DEFAULT CURRENT_DATE('America/Los_Angeles');
  DECLARE v_lease_name STRING DEFAULT CONCAT('lock_captions_for_creator ', normalized_page_name);
  DECLARE v_attempt INT64 DEFAULT 0;
  DECLARE v_is_locked BOOL DEFAULT FALSE;
  DECLARE v_is_first_call BOOL;
  DECLARE v_error STRING;
  DECLARE v_problem STRING DEFAULT COALESCE(
    `of-scheduler-proj.eros_scheduling_brain.selection_problem`(
      normalized_page_name,
      num_budget_needed,
      num_mid_needed,
      num_premium_needed,
      num_bump_needed
    ),
    IF(COALESCE(TRIM(p_schedule_id), '') = '', 'p_schedule_id is blank: name the schedule', NULL),
    IF(
      COALESCE(p_scheduled_send_date >= v_today, FALSE),
      NULL,
      FORMAT('p_scheduled_send_date must be today (%t in Los Angeles) or later; got %t', v_today, p_scheduled_send_date)
    )
  );

  IF v_problem IS NOT NULL THEN
    RAISE USING MESSAGE = CONCAT('lock_captions_for_creator: ', v_problem);
  END IF;

  SET v_is_first_call = NOT EXISTS (
    SELECT standing.caption_id
    FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS standing
    WHERE standing.schedule_id = p_schedule_id AND standing.page_name = normalized_page_name
  );

  -- the lease's row must exist before it can be updated
  MERGE `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
  USING (SELECT v_lease_name AS wanted) AS missing
  ON lease.lease_name = missing.wanted
  WHEN NOT MATCHED THEN
    INSERT (lease_name) VALUES (missing.wanted);

  WHILE NOT v_is_locked DO
    SET v_attempt = v_attempt + 1;
    BEGIN
      BEGIN TRANSACTION;
      -- inserts do not conflict; of two transactions that update the creator's lease one is cancelled
      UPDATE `of-scheduler-proj.eros_scheduling_brain.leases` AS lease
      SET holder = p_schedule_id, acquired_at = v_now
      WHERE lease.lease_name = v_lease_name;

      INSERT INTO `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments`
        (
          page_name,
          caption_id,
          caption_text,
          assigned_date,
          scheduled_send_date,
          price_tier,
          is_active,
          assigned_at,
          assignment_key,
          schedule_id
        )
      SELECT
        normalized_page_name,
        chosen.caption_id,
        chosen.caption_text,
        v_today,
        p_scheduled_send_date,
        chosen.price_tier,
        TRUE,
        v_now,
        FORMAT('%s:%d:%s', normalized_page_name, chosen.caption_id, p_schedule_id),
        p_schedule_id
      FROM `of-scheduler-proj.eros_scheduling_brain.chosen_captions`(
        normalized_page_name,
        behavioral_segment,
        num_budget_needed,
        num_mid_needed,
        num_premium_needed,
        num_bump_needed,
        p_schedule_id
      ) AS chosen
      WHERE NOT EXISTS (
        SELECT standing.caption_id
        FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS standing
        WHERE standing.schedule_id = p_schedule_id AND standing.page_name = normalized_page_name
      );
      COMMIT TRANSACTION;
      SET v_is_locked = TRUE;
    EXCEPTION WHEN ERROR THEN
      SET v_error = @@error.message;
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        -- the error had already ended the transaction
        SET v_is_locked = FALSE;
      END;
      IF v_attempt >= 5 THEN
        RAISE USING MESSAGE = FORMAT(
          'lock_captions_for_creator: no caption was locked for schedule %s of creator %s after %d attempts: %s',
          p_schedule_id,
          normalized_page_name,
          v_attempt,
          v_error
        );
      END IF;
    END;
  END WHILE;

  -- called again, a schedule gets what it has, whatever it asks for
  IF v_is_first_call
    AND (
      SELECT COUNT(*)
      FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS locked
      WHERE locked.schedule_id = p_schedule_id AND locked.page_name = normalized_page_name
    ) < num_budget_needed + num_mid_needed + num_premium_needed + num_bump_needed
    AND NOT EXISTS (
      SELECT alert.alert_id
      FROM `of-scheduler-proj.eros_scheduling_brain.automation_alerts` AS alert
      WHERE alert.alert_source = 'lock_captions_for_creator'
        AND alert.job_id = FORMAT('%s %s', p_schedule_id, normalized_page_name)
        AND alert.alert_time >= TIMESTAMP_SUB(v_now, INTERVAL 90 DAY)
    )
  THEN
    INSERT INTO `of-scheduler-proj.eros_scheduling_brain.automation_alerts`
      (alert_id, alert_time, alert_level, alert_source, alert_message, job_id, acknowledged)
    SELECT
      GENERATE_UUID(),
      v_now,
      'WARNING',
      'lock_captions_for_creator',
      FORMAT(
        'creator %s, schedule %s: %s',
        normalized_page_name,
        p_schedule_id,
        STRING_AGG(
          FORMAT(
            '%d of %d %s captions; kept out: %d by restrictions, %d by locks, %d by cooldown, %d by weekly budgets',
            missing.locked,
            missing.wanted,
            missing.price_tier,
            missing.by_restrictions,
            missing.by_locks,
            missing.by_cooldown,
            missing.by_budgets
          ),
          ' | '
          ORDER BY missing.price_tier
        )
      ),
      FORMAT('%s %s', p_schedule_id, normalized_page_name),
      FALSE
    FROM `of-scheduler-proj.eros_scheduling_brain.missing_captions`(
      p_schedule_id,
      normalized_page_name,
      behavioral_segment,
      num_budget_needed,
      num_mid_needed,
      num_premium_needed,
      num_bump_needed
    ) AS missing
    HAVING COUNT(*) > 0;
  END IF;

  SELECT
    locked.caption_id,
    locked.caption_text,
    locked.price_tier,
    scored.content_category,
    scored.has_urgency,
    scored.final_score,
    scored.debug_info
  FROM `of-scheduler-proj.eros_scheduling_brain.active_caption_assignments` AS locked
  LEFT JOIN `of-scheduler-proj.eros_scheduling_brain.scored_captions`(
    normalized_page_name,
    behavioral_segment,
    p_schedule_id
  ) AS scored
    ON locked.caption_id = scored.caption_id
  WHERE locked.schedule_id = p_schedule_id AND locked.page_name = normalized_page_name
  ORDER BY scored.final_score DESC, locked.caption_id;
END;
