"""Masks what looks like a credential before it is printed, commented or written into a log, a report or an issue."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from detect_secrets.plugins.artifactory import ArtifactoryDetector
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "(looks like a credential: masked)"
#: Detectors that recognise a token by its form, in linear time. Those of entropy would mask digests and job ids; those
#: of JWTs, npm, OpenAI, IBM and keywords take quadratic time or the rest of the line, and are written below instead.
_DETECTORS = (
    ArtifactoryDetector,
    AWSKeyDetector,
    AzureStorageKeyDetector,
    DiscordBotTokenDetector,
    GitHubTokenDetector,
    GitLabTokenDetector,
    MailchimpDetector,
    PypiTokenDetector,
    SendGridDetector,
    SlackDetector,
    SquareOAuthDetector,
    StripeDetector,
    TelegramBotTokenDetector,
    TwilioKeyDetector,
)
#: Tokens that those do not recognise, or only whole: a cut one is masked, too.
_TOKENS = re.compile(
    r"""
      \bya29\.[\w.-]{10,}                                    # Google: OAuth access token
    | (?<![\w/])1//0?[\w-]{20,}                              # refresh token
    | (?<![\w/.])4/0[\w-]{20,}                               # authorization code
    | \bAIza[\w-]{20,} | \bGOCSPX-[\w-]{10,} | \bGOOG1?[A-Z0-9]{20,}   # API key, client secret, HMAC key
    | \bgh[oprsu]_\w{16,} | \bgithub_pat_\w{16,} | \bhf_\w{16,} | \bAKC[A-Za-z0-9]{10,} | \bnpm_\w{16,}
    | \bsk-[\w-]{20,} | \bxox[a-z]-[\w-]{10,} | \bxapp-[\w-]{10,} | \bdop_v1_\w{20,} | \bshp(?:at|ss|ca|pa)_\w{20,}
    | \b[rsp]k_(?:live|test)_\w{16,} | \bwhsec_\w{16,} | \bdapi[0-9a-f]{32}\b | \bhv[sb]\.[\w-]{20,}
    | (?<![\w-])eyJ[\w-]{10,}\.(?:eyJ)?[\w-]*                # JWT, without its signature as well
    """,
    re.VERBOSE,
)
#: Names whose value is a secret, whatever its form.
_NAME = r"""(?:
      pass(?:word|wd|phrase) | \bpwd
    | (?:client|shared|app|webhook|consumer|signing)[_-]?secret | secret(?:[_-]?(?:access[_-]?)?(?:key|token))?
    | (?:api|access|auth|account|private|encryption|signing|storage)[_-]?key(?:[_-]?id)?
    | (?:access|refresh|auth|id|session|api|bearer|sas)[_-]?token | \b_?authToken | \btoken
)"""
_SECRET_NAME = re.compile(rf".*{_NAME}", re.VERBOSE | re.IGNORECASE | re.DOTALL)
#: Values after what says that they are secret: only the named groups are masked. Terraform writes `"old" -> "new"`.
_VALUES = (
    re.compile(
        rf"""{_NAME} \\?["'`\]]{{0,2}} [ \t]{{0,8}} [:=]=?>? [ \t]{{0,8}} (?:
            \\?(?P<quote>["'`]) (?P<quoted> (?![(<]) (?: (?!(?P=quote)) [^\n\\] | \\[^"'`\n] ){{4,}} )
            (?: \\?(?P=quote) [ ]->[ ] \\?(?P=quote) (?P<second> [^"'`\n\\]{{4,}} ) )?
          | (?P<value> (?![@$({{<[]) [^\s"'`\\]{{5,}} [^\s"'`\\,;.] ) )""",
        re.VERBOSE | re.IGNORECASE,
    ),
    re.compile(r"\bBearer[ \t]{1,8}(?P<value>[\w.+/=~-]{16,})", re.IGNORECASE),
    re.compile(r"\bAuthorization\W{1,8}(?:Basic|Token|Digest)[ \t]{1,8}(?P<value>[\w.+/=~-]{6,})", re.IGNORECASE),
    re.compile(r"://[^\s:/@]{0,200}:(?P<value>[^\s/@]{1,400})@"),
    re.compile(r"/keys/(?P<value>[0-9a-f]{40})\b"),  # the id of a service account's key
    re.compile(
        r"(?:[?&]sig|X-(?:Goog|Amz)-(?:Signature|Credential|Security-Token))=(?P<value>[\w%+/=.-]{16,})", re.IGNORECASE
    ),
    re.compile(r"hooks\.slack\.com/services/(?P<value>[\w/]{10,})"),
)
_PATTERNS = (*(pattern for detector in _DETECTORS for pattern in detector.denylist), _TOKENS, *_VALUES)
#: A pattern may match only a part of a token: the rest of its characters is masked, too.
_BEFORE = frozenset("_+-")
_AFTER = re.compile(r"(?:[\w+/=~%-]|\.(?=[\w-]))*")
_LONGEST_BEFORE = 256
#: The first and the last line of a private key, and what may follow the first where the last was cut off.
_KEY_LINE = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d")
_KEY_MATERIAL = re.compile(r"(?:(?:\\[nr]|[\s\"'|+>,#-]){0,12}[A-Za-z0-9+/=]{16,})*")
_LONGEST_KEY = 20_000


def masked(text: str) -> str:
    """A text with everything masked that looks like a credential; whole, even where only its beginning is known."""
    spans = sorted(_spans(text))
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
    """A JSON value with its texts and keys masked, and texts whose key says that they are secret."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {_masked_key(key): _masked_item(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked_values(item) for item in value]
    return value


def names_secret(name: str) -> bool:
    """Whether a name, such as ``db_password``, says that its value is a secret."""
    return bool(_SECRET_NAME.fullmatch(name[-200:]))


class LineMask:
    """Masks a text that comes line by line; a private key covers several."""

    def __init__(self) -> None:
        self._key_lines = 0

    def __call__(self, line: str) -> str:
        """The line, masked."""
        marks = list(_KEY_LINE.finditer(line))
        if self._key_lines and not marks:
            self._key_lines -= 1
            return MASK
        begins = bool(marks) and marks[-1][1] != "END"
        found = MASK if self._key_lines or begins else masked(line)
        self._key_lines = _LONGEST_KEY // 64 if begins else 0
        return found


def _masked_key(key: Any) -> Any:
    return masked(key) if isinstance(key, str) else key


def _masked_item(key: Any, item: Any) -> Any:
    return MASK if isinstance(item, str) and item and names_secret(str(key)) else masked_values(item)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the credentials are; they may overlap."""
    for pattern in _PATTERNS:
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
