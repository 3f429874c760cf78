"""Masks what looks like a credential before it is printed, commented or written into a log, a report or an issue."""

from __future__ import annotations

import functools
import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "(looks like a credential: masked)"
#: What programs write in place of a character or around it. It hides where a token begins: it is read as blanks, or as
#: a sign that no name contains. The text that comes out keeps it.
_ESCAPE = re.compile(
    r"""(?P<blank> (?:\x1b|(?<!\\)\\++(?:x1b|u001b|033))\[[\d;]{0,20}m | (?<!\\)\\++(?:[nrt]|u[0-9a-f]{4}|x[0-9a-f]{2}))
    | (?P<equals> %3D) | %[0-9A-F]{2}""",
    re.VERBOSE | re.IGNORECASE,
)
#: Tokens that detectors.py does not recognise, or only whole: a cut one is masked, too.
_TOKENS = re.compile(
    r"""
      (?<![\w/])1//0?[\w-]{20,}                              # Google: refresh token
    | (?<![\w/.])4/0[\w-]{20,}                               # authorization code
    | (?<![\w-])eyJ[\w-]{10,}\.(?:eyJ)?[\w-]*                # JWT, without its signature as well
    | \.atlasv1\.[\w-]{10,}
    | (?<![A-Za-z0-9])(?:
        ya29\.[\w.-]{10,} | AIza[\w-]{20,} | GOCSPX-[\w-]{10,} | GOOG1?[A-Z0-9]{20,}
      | gh[oprsu]_\w{16,} | github_pat_\w{16,} | hf_\w{16,} | AKC[A-Za-z0-9]{10,} | npm_\w{16,} | dckr_pat_[\w-]{16,}
      | sk-[\w-]{20,} | xox[a-z]-[\w-]{10,} | xapp-[\w-]{10,} | dop_v1_\w{20,} | shp(?:at|ss|ca|pa)_\w{20,}
      | [rsp]k_(?:live|test)_\w{16,} | whsec_\w{16,} | dapi[0-9a-f]{32}\b | hv[sb]\.[\w-]{20,}
      | lin_api_\w{16,} | pul-[0-9a-f]{16,} | AGE-SECRET-KEY-1[A-Z0-9]{10,} )
    """,
    re.VERBOSE,
)
#: Names whose value is a secret, whatever its form.
_NAME = r"""(?:
      pass(?:word|wd|phrase) | (?<![a-z])pwd | _pass
    | (?:client|shared|app|webhook|consumer|signing)[_-]?secret | secret[_-]?(?:access[_-]?)?(?:key|token)
    | (?:api|access|auth|account|private|encryption|signing|storage)[_-]?key(?:[_-]?id)?
    | (?:access|refresh|auth|id|session|api|bearer|sas)[_-]?token | TF_TOKEN_\w{1,100}
)"""
#: Names that are ordinary words, too: `unexpected token: SELECT`, `a.token = b`, `checks pass: existence`.
_WORD = "(?<![a-z])(?:token|secret|pass)"
_SECRET_NAME = re.compile(rf".*(?:{_NAME}|{_WORD})s?", re.VERBOSE | re.IGNORECASE | re.DOTALL)
#: A quote, which may be escaped several times, and what it encloses: to its like, or to the line's end.
_QUOTED = r"""(?P<quote>\\*+["'`]) (?P<quoted> (?!\(looks) (?: (?!(?P=quote)) (?:\\++.|[^\n\\]) ){4,} )"""
#: From a name to its value: `"name": `, `name => `, `"name", "value": `, `"name": {"value": `.
_BLANKS = r"[ \t%]{0,80}+"
_TO_VALUE = rf"""\\*+["'`\]]{{0,2}} {_BLANKS} (?: [:=]?{_BLANKS} [,{{]?\s{{0,80}}+ \\*+["']?value\\*+["']? {_BLANKS} )?
    [:=]=?>? {_BLANKS}"""
#: Terraform writes `old -> new`.
_OLD = r"(?: (?: null | \(known[ ]after[ ]apply\) | \(sensitive[ ]value\) ) [ ]->[ ] )?"
_NEW = r"""(?: (?P=quote) [ ]->[ ] (?P=quote) (?P<second> (?: (?!(?P=quote)) (?:\\++.|[^\n\\]) ){4,} ) )?"""
_UNQUOTED = r"""(?! \$?[({] | [<@\[] | projects/ ) [^\s"'`\\]{5,} [^\s"'`\\,;.]"""
#: The line before a value: a heredoc of Terraform, a block of YAML.
_OPENING = r"""(?: <<[~-]?"?\w{1,40}"? | [|>][+-]? )"""
_OPENS = re.compile(rf"(?:{_NAME}|{_WORD}){_TO_VALUE}{_OPENING}\s*$", re.VERBOSE | re.IGNORECASE)


def _value_after(name: str, unquoted: str) -> re.Pattern[str]:
    line = rf"{_OPENING}\s{{1,80}}+(?P<line>[^\n\"`\\]{{4,}})"
    value = rf"{_OLD} (?: {_QUOTED}{_NEW} | {unquoted} )"
    return re.compile(rf"{name}{_TO_VALUE} (?: {line} | {value} )", re.VERBOSE | re.IGNORECASE)


#: Each name of a secret contains one of these: most texts have none, and are not searched for the names.
_PART_OF_A_NAME = re.compile("(?=[pskt])(?:pass|pwd|secret|key|token)", re.IGNORECASE)
#: Values after such a name: only the named groups are masked, here and in what follows.
_NAMED_VALUES = (
    _value_after(_NAME, f"(?P<value>{_UNQUOTED})"),
    _value_after(_WORD, rf"""(?=[^\s"'`\\\d]{{0,80}}\d) (?P<value>{_UNQUOTED})"""),
    re.compile(
        rf"""(?<!-)--[a-z-]{{0,40}}{_NAME} [ ]{{1,8}} \\*+["']? (?!-)(?P<value>{_UNQUOTED})""",
        re.VERBOSE | re.IGNORECASE,
    ),
    re.compile(rf"<[\w:-]{{0,40}}(?:{_NAME}|{_WORD})> (?P<value>[^<>\n]{{4,400}}) <", re.VERBOSE | re.IGNORECASE),
)
#: Values after something else that says that they are secret.
_VALUES = (
    re.compile(r"(?<!\S)(?:-u|--user|--proxy-user)[ =]?[\"']?[\w.@-]{1,100}:(?!\()(?P<value>[^\s\"'`\\]{6,})"),
    re.compile(r"\bCookie\W{1,8}[\w.-]{1,100}=(?P<value>[^\n\"'`\\]{6,})", re.IGNORECASE),
    re.compile(r"\bBearer[ \t]{1,8}(?P<value>[\w.+/=~-]{16,})", re.IGNORECASE),
    re.compile(r"\bAuthorization\W{1,8}(?:Basic|Token|Digest)[ \t]{1,8}(?P<value>[\w.+/=~-]{6,})", re.IGNORECASE),
    re.compile(r"://[^\s:/@]{0,200}:(?P<value>[^\s/@?#]{1,400})@"),
    re.compile(r"/keys/(?P<value>[0-9a-f]{40})\b"),  # the id of a service account's key
    re.compile(
        r"(?:[?&]sig|X-(?:Goog|Amz)-(?:Signature|Credential|Security-Token))=(?P<value>[\w%+/=.-]{16,})", re.IGNORECASE
    ),
    re.compile(r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<value>[\w/]{10,})"),
    re.compile(r"discord(?:app)?\.com/api/webhooks/(?P<value>[\w/-]{10,})"),
    re.compile(r"webhook\.office\.com/(?P<value>[\w/@-]{10,})"),
)
#: A pattern may match only a part of a token: the rest of its characters is masked, too.
_BEFORE = frozenset("_+-")
_AFTER = re.compile(r"(?:[\w+/=~%-]|\.(?=[\w-]))*")
_LONGEST_BEFORE = 256
#: The first and the last line of a private key, and what may follow the first where the last was cut off.
_KEY_LINE = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d")
_KEY_MATERIAL = re.compile(r"(?:[\s\"'|+>,#-]{0,12}[A-Za-z0-9+/=]{16,})*")
_LONGEST_KEY = 20_000


def masked(text: str) -> str:
    """A text with everything masked that looks like a credential; whole, even where only its beginning is known."""
    spans = sorted(_spans(_ESCAPE.sub(_of_same_length, text)))
    parts: list[str] = []
    end = 0
    for start, stop in spans:
        if stop <= end:
            continue
        if start > end or not parts:
            parts += [text[end:start], MASK]
        end = stop
    return "".join([*parts, text[end:]])


def masked_values(value: Any) -> Any:
    """A JSON value with its texts and keys masked, and every text whose key or ``name`` says that it is secret."""
    return _masked_value(value, secret=False)


def names_secret(name: str) -> bool:
    """Whether a name, such as ``db_password``, says that its value is a secret."""
    return bool(_SECRET_NAME.fullmatch(name[-200:]))


class LineMask:
    """Masks a text that comes line by line; a private key covers several, and a value may follow its name's line."""

    def __init__(self) -> None:
        self._key_lines = 0
        self._value_follows = False

    def __call__(self, line: str) -> str:
        """The line, masked."""
        marks = list(_KEY_LINE.finditer(line))
        if self._key_lines and not marks:
            self._key_lines -= 1
            return MASK
        begins = bool(marks) and marks[-1][1] != "END"
        found = MASK if self._key_lines or begins or self._value_follows else masked(line)
        self._value_follows = bool(_OPENS.search(line))
        self._key_lines = _LONGEST_KEY // 64 if begins else 0
        return found


def _masked_value(value: Any, secret: bool) -> Any:
    if isinstance(value, str):
        return MASK if secret and value else masked(value)
    if isinstance(value, dict):
        named = names_secret(str(value.get("name", "")))
        return {
            masked(key) if isinstance(key, str) else key: _masked_value(
                item, secret or names_secret(str(key)) or (named and key == "value")
            )
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked_value(item, secret) for item in value]
    return value


def _of_same_length(escape: re.Match[str]) -> str:
    if escape["blank"]:
        return " " * len(escape[0])
    return "%%=" if escape["equals"] else "%%%"


@functools.cache
def _patterns(named: bool) -> tuple[re.Pattern[str], ...]:
    from declared.detectors import DETECTED  # noqa: PLC0415 - takes 0.1 s, and most commands mask nothing

    return (*DETECTED, _TOKENS, *_VALUES, *(_NAMED_VALUES if named else ()))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the credentials are; they may overlap."""
    for pattern in _patterns(bool(_PART_OF_A_NAME.search(text))):
        end = 0
        while match := pattern.search(text, end):
            spans = [match.span(name) for name in pattern.groupindex if name != "quote" and match[name]]
            for start, stop in spans or [_whole_token(text, *match.span())]:
                yield start, stop
                end = stop
    yield from _keys(text)


def _whole_token(text: str, start: int, stop: int) -> tuple[int, int]:
    earliest = max(start - _LONGEST_BEFORE, 0)
    while start > earliest and (text[start - 1].isalnum() or text[start - 1] in _BEFORE):
        start -= 1
    after = _AFTER.match(text, stop)
    return start, after.end() if after else stop


def _keys(text: str) -> Iterator[tuple[int, int]]:
    """Private keys, from their first line to their last, or to where they were cut."""
    marks = list(_KEY_LINE.finditer(text))
    for mark, following in zip_longest(marks, marks[1:]):
        if mark[1] == "END":
            continue
        if following and following[1] == "END" and following.start() - mark.end() < _LONGEST_KEY:
            yield mark.start(), following.end()
        else:
            material = _KEY_MATERIAL.match(text, mark.end())
            yield mark.start(), material.end() if material else mark.end()
