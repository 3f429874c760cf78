"""Credentials of every kind, made up anew for each run, so that no scanner finds one in the repository."""

from __future__ import annotations

import base64
import json
import random
import string
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HEX = "0123456789abcdef"
WORD = string.ascii_letters + string.digits
UPPER = string.ascii_uppercase + string.digits
BASE64 = WORD + "+/"
#: A part of a secret that is so long must not be shown.
LONG_PART = 8


@dataclass(frozen=True)
class Credential:
    """A credential as it is written, ``text``, and what of it is secret."""

    kind: str
    text: str
    secret: str

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """What must not be shown: every long part of the secret."""
        secret = "".join(self.secret.split())
        assert len(secret) >= LONG_PART
        return tuple(secret[start : start + LONG_PART] for start in range(len(secret) - LONG_PART + 1))

    def leaked_in(self, output: str) -> str:
        """The first long part of the secret that an output contains, or ''."""
        return leaks([self], output).get(self.kind, "")


def leaks(known: Sequence[Credential], output: str) -> dict[str, str]:
    """The first long part of each secret that an output contains, by the credential's kind."""
    texts = (output, "".join(output.split()))
    shown = {text[start : start + LONG_PART] for text in texts for start in range(len(text) - LONG_PART + 1)}
    return {each.kind: part for each in known if (part := next((part for part in each.parts if part in shown), ""))}


def credentials(seed: int) -> list[Credential]:
    """One of each kind."""
    print(f"credentials of the seed {seed}")  # noqa: T201 - pytest shows it with a failure
    chance = random.Random(seed)  # noqa: S311 - examples, not secrets

    def some(length: int, characters: str = WORD) -> str:
        return "".join(chance.choices(characters, k=length))

    def encoded(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def pem(name: str, separator: str) -> tuple[str, str]:
        lines = [some(64, BASE64) for _ in range(5)] + [some(22, BASE64) + "=="]
        marks = f"-----BEGIN {name}PRIVATE KEY-----", f"-----END {name}PRIVATE KEY-----"
        return separator.join([marks[0], *lines, marks[1]]) + separator, separator.join(lines)

    tokens = {
        "GitHub token": f"ghp_{some(36)}",
        "GitHub app token": f"ghs_{some(36)}",
        "GitHub fine-grained token": f"github_pat_{some(22)}_{some(59)}",
        "GitLab token": f"glpat-{some(20)}",
        "GitLab deploy token": f"gldt-{some(20)}",
        "Google API key": f"AIza{some(35, WORD + '-_')}",
        "Google access token": f"ya29.a0{some(120, WORD + '-_')}",
        "Google refresh token": f"1//0{some(60, WORD + '-_')}",
        "Google client secret": f"GOCSPX-{some(28, WORD + '-_')}",
        "Google HMAC key": f"GOOG1E{some(56, UPPER)}",
        "Amazon key id": f"AKIA{some(16, UPPER)}",
        "Slack token": f"xoxb-{some(12, string.digits)}-{some(12, string.digits)}-{some(24)}",
        "Stripe key": f"sk_live_{some(24)}",
        "SendGrid key": f"SG.{some(22)}.{some(43)}",
        "Twilio key": f"SK{some(32, HEX)}",
        "Mailchimp key": f"{some(32, HEX)}-us12",
        "npm token": f"npm_{some(36)}",
        "PyPI token": f"pypi-AgEIcHlwaS5vcmc{some(80)}",
        "Hugging Face token": f"hf_{some(34)}",
        "OpenAI key": f"sk-{some(20)}T3BlbkFJ{some(20)}",
        "Telegram token": f"{chance.randint(10**8, 10**9)}:{some(35)}",
        "Discord token": f"M{some(23)}.{some(6)}.{some(27)}",
        "Square secret": f"sq0csp-{some(43)}",
        "Artifactory token": f"AKC{some(20)}",
        "Docker token": f"dckr_pat_{some(27)}",
        "Linear key": f"lin_api_{some(40)}",
        "Pulumi token": f"pul-{some(40, HEX)}",
        "Terraform Cloud token": f"{some(14)}.atlasv1.{some(67)}",
        "age key": f"AGE-SECRET-KEY-1{some(58, UPPER)}",
        "JWT": f"{encoded({'alg': 'RS256'})}.{encoded({'sub': some(12)})}.{some(43, WORD + '-_')}",
    }
    named = {
        "Slack webhook": (
            "https://hooks.slack.com/services/{}",
            f"T{some(9, UPPER)}/B{some(9, UPPER)}/{some(24)}",
        ),
        "Slack workflow": ("https://hooks.slack.com/workflows/{}", f"T{some(9, UPPER)}/A{some(9, UPPER)}/1/{some(24)}"),
        "Discord webhook": ("https://discord.com/api/webhooks/{}", f"{some(18, string.digits)}/{some(68)}"),
        "Teams webhook": ("https://example.webhook.office.com/webhookb2/{}", f"{some(36, HEX)}@{some(36, HEX)}"),
        "bearer": ("Authorization: Bearer {}", some(40)),
        "basic": ("Authorization: Basic {}", some(24)),
        "unquoted password": ("password={}", some(14)),
        "quoted password": ('db_password = "{}"', f"{some(6)} {some(9)}"),
        "password with signs": ("PGPASSWORD={}", f"{some(8)}!{some(8)},{some(8)}"),
        "changed password": ('~ password = "{0}" -> "{0}x"', some(16)),
        "aligned password": ('password                 = "{}"', some(14)),
        "password that was null": ('~ password = null -> "{}"', some(16)),
        "password that was unknown": ('~ password = (known after apply) -> "{}"', some(16)),
        "heredoc": ("password = <<-EOT\n    {}\nEOT", some(16)),
        "block of YAML": ("password: |\n  {}", some(16)),
        "password of a name": ('{{"name": "DB_PASSWORD", "value": "{}"}}', some(16)),
        "password in an object": ('{{"password": {{"value": "{}"}}}}', some(16)),
        "password with a dollar": ("password={}", f"${some(14)}"),
        "password with a bracket": ('password="{}"', f"<{some(14)}"),
        "password with a quote": ('password="{}"', f'ab\\"{some(14)}'),
        "password of MySQL": ("MYSQL_PWD={}", some(14)),
        "short name": ("DB_PASS={}", some(14)),
        "token of a host": ("TF_TOKEN_app_terraform_io={}", some(14)),
        "token by its name alone": ("token={}", f"{some(14)}7{some(4)}"),
        "password of an option": ("run --db-password {} --now", some(14)),
        "password for curl": ("curl -u writer:{} https://example.com", some(14)),
        "cookie": ("Cookie: session={}", some(30)),
        "password in XML": ("<password>{}</password>", some(14)),
        "client secret": ("client_secret: '{}'", some(24)),
        "API key": ("api_key={}", some(32, HEX)),
        "Amazon secret": ("aws_secret_access_key = {}", some(40, BASE64)),
        "Azure key": ("AccountKey={}", some(86, BASE64) + "=="),
        "access token": ("access_token={}&scope=all", some(40)),
        "address with password": ("postgres://writer:{}@example.com/db", some(16)),
        "id of a service account's key": ("serviceAccounts/a@example.com/keys/{}", some(40, HEX)),
        "signed address": ("https://storage.example.com/o?X-Goog-Signature={}", some(64, HEX)),
    }
    found = [Credential(kind, token, token) for kind, token in tokens.items()]
    found += [Credential(kind, form.format(secret), secret) for kind, (form, secret) in named.items()]
    password = some(16)
    thrice = json.dumps(json.dumps(json.dumps({"password": password})))
    found.append(Credential("escaped three times", thrice, password))
    for kind, name in (("private key", ""), ("RSA key", "RSA "), ("SSH key", "OPENSSH ")):
        found.append(Credential(kind, *pem(name, "\n")))
    key, body = pem("", "\n")
    account = {"private_key_id": some(40, HEX), "private_key": key, "client_email": "a@example.com"}
    found.append(Credential("service account", json.dumps(account, indent=2), body.replace("\n", "\\n")))
    found.append(Credential("id in a service account", json.dumps(account), account["private_key_id"]))
    return found
