-- The identity of a caption's text: 64 lower-case hex characters, the SHA-256 of the normalised text.
--
-- Inputs:     the message, in any script; NULL gives NULL.
-- Guarantees: letters, digits and the marks that belong to letters count, in every script; case, punctuation,
--             symbols, variation selectors, joiners and keycap marks do not; composed and decomposed forms
--             give one key (canonical equivalence, NFC: NFKC would make digits of symbols such as '½' and '²').
--             Where all letters and digits are ASCII the normalised text is the one that stored keys were computed
--             from: lower(trim(text)), only ASCII letters, digits, '_' and white space kept, each run of white
--             space one space. White space is what TRIM removes, as Unicode defines it.
--             Text without any letter or digit keeps its identity: its key is that of the trimmed text itself.
-- Cost:       reads no table; a few regular expressions per call.
CREATE OR REPLACE FUNCTION `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`(message STRING)
RETURNS STRING
OPTIONS (description = 'SHA-256 (hex) of the normalised caption text, for every script; NULL gives NULL.')
AS (
  (
    WITH
      trimmed_text AS (
        SELECT TRIM(message) AS identity
      ),
      text_without_selectors_joiners_and_keycaps AS (
        SELECT
          identity,
          -- before all else: between a letter and its mark they would keep the two from composing
          NORMALIZE(
            REGEXP_REPLACE(
              identity,
              CONCAT(
                r'[\x{FE00}-\x{FE0F}\x{E0100}-\x{E01EF}\x{180B}-\x{180D}\x{180F}',
                r'\x{200C}\x{200D}\x{2060}\x{FEFF}\x{034F}\x{20E3}]'
              ),
              ''
            ),
            NFC
          ) AS composed
        FROM trimmed_text
      ),
      text_with_its_letters_and_digits AS (
        SELECT
          identity,
          LOWER(composed) AS lowered,
          REGEXP_REPLACE(composed, r'[^\pL\p{Nd}]', '') AS letters_and_digits
        FROM text_without_selectors_joiners_and_keycaps
      ),
      text_with_only_what_counts AS (
        SELECT
          identity,
          letters_and_digits,
          IF(
            -- one byte a character: every letter and digit is ASCII, and marks do not count
            BYTE_LENGTH(letters_and_digits) = CHAR_LENGTH(letters_and_digits),
            REGEXP_REPLACE(lowered, r'[^\pL\p{Nd}_\pZ\t\n\v\f\r\x{85}]', ''),
            -- letters with their marks, digits, '_' and white space stay; other marks are removed with what they belong to
            REGEXP_REPLACE(lowered, r'(\pL\pM*|[\p{Nd}_\pZ\t\n\v\f\r\x{85}])|(?s:.)', r'\1')
          ) AS kept
        FROM text_with_its_letters_and_digits
      )
    SELECT
      TO_HEX(
        SHA256(IF(letters_and_digits = '', identity, REGEXP_REPLACE(kept, r'[\pZ\t\n\v\f\r\x{85}]+', ' ')))
      )
    FROM text_with_only_what_counts
  )
);

-- Tests
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`(NULL) IS NULL AS 'NULL gives NULL';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('Test message 123')
  = TO_HEX(SHA256('test message 123')) AS 'lower case of the plain text';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('Hello, World!')
  = TO_HEX(SHA256('hello world')) AS 'punctuation and case do not count';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('Hey babe 😘')
  = TO_HEX(SHA256('hey babe ')) AS 'trimmed before the emoji is removed, not after';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('😘 Hey')
  = TO_HEX(SHA256(' hey')) AS 'and not at the start';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('  two\t\n words  ')
  = TO_HEX(SHA256('two words')) AS 'a run of white space is one space';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('one - two')
  = TO_HEX(SHA256('one two')) AS 'spaces around a removed sign are one run';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('under_score')
  = TO_HEX(SHA256('under_score')) AS 'the underscore stays';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('50% off!!! <b>now</b> ½')
  = TO_HEX(SHA256('50 off bnowb ')) AS 'signs are removed, fractions are not digits';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('a\u200db c\u200bd')
  = TO_HEX(SHA256('ab cd')) AS 'characters without width are removed';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('a\u00a0\u2003b')
  = TO_HEX(SHA256('a b')) AS 'white space of every kind is one space';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('') = TO_HEX(SHA256('')) AS 'empty text has a key';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`(' \t ') = TO_HEX(SHA256('')) AS 'and white space has the same key';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`(' 🔥 ') = TO_HEX(SHA256('🔥'))
  AS 'without letter or digit: the trimmed text itself';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('_!_') = TO_HEX(SHA256('_!_')) AS 'an underscore is not a letter';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('🔥')
  != `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('💋') AS 'two emoji are two keys';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('🔥')
  != `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('🔥🔥') AS 'and so is one emoji twice';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('Привет')
  != `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('Пока') AS 'Cyrillic words differ';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('ПРИВЕТ!')
  = TO_HEX(SHA256('привет')) AS 'case and punctuation do not count in Cyrillic either';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('Привет, Anna_1')
  = TO_HEX(SHA256('привет anna_1')) AS 'two scripts in one text';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('caf\u00e9')
  = `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('cafe\u0301') AS 'composed = decomposed';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('caf\u00e9')
  != `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('caf') AS 'an accented letter counts';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('caf\u00e9')
  != `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('cafe') AS 'and is not the plain one';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('cafe\u200d\u0301')
  = `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('caf\u00e9') AS 'a joiner does not separate a mark from its letter';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('1\ufe0f\u20e3 left')
  = `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('1 left') AS 'keycap marks do not count';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('Скидка 2\ufe0f\u20e3 дня ❤\ufe0f')
  = TO_HEX(SHA256('скидка 2 дня ')) AS 'selectors and keycaps do not count in other scripts either';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('कि')
  != `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('की') AS 'a vowel sign belongs to its letter';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('क्\u200dष')
  = `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('क्ष') AS 'joiners do not count';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('می\u200cخواهم')
  = `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('میخواهم') AS 'and the non-joiner does not count';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('مُدَرِّس')
  != `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('مدرس') AS 'Arabic vowel marks count';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('१२ दिन!')
  = TO_HEX(SHA256('१२ दिन')) AS 'digits of every script count';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('한국')
  != `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('한글') AS 'Hangul syllables differ';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('\u1112\u1161\u11ab')
  = `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('한') AS 'composed = decomposed in Hangul';
ASSERT `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('今夜限り')
  != `of-scheduler-proj.eros_scheduling_brain.caption_key_v2`('今夜') AS 'text without spaces in it';
