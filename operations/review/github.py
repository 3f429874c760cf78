"""Comments and issues at GitHub: one comment per pull request and tag, one issue per environment that has drifted."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from declared.masking import masked
from declared.names import hidden_tag, make
from google.failures import UNREADABLE
from google.waiting import NoResultError, current_limit
from operations.deploy.steps import StepFailedError
from verification.drift.report import diffs, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from verification.drift.report import DriftReport

#: The longest text of a comment or an issue that GitHub accepts, as :func:`length` counts it.
LONGEST_TEXT = 65_535
TIMEOUT_SECONDS = 30
#: The author of what a workflow's own token writes.
WORKFLOWS = "github-actions[bot]"
LABEL = "drift"
TAG = re.compile(r"<!-- \S.* -->")


@dataclass(frozen=True)
class Repository:
    """A repository at GitHub: the API's address, its ``OWNER/NAME`` and the token."""

    api: str
    name: str
    token: str = field(repr=False)


def repository_of(variables: Mapping[str, str]) -> Repository:
    """The repository that the variables of a workflow name.

    Raises:
        StepFailedError: one of them is missing, or the token is none.
    """
    if missing := [name for name in ("GITHUB_REPOSITORY", "GITHUB_TOKEN") if not variables.get(name)]:
        raise StepFailedError(
            f"{' and '.join(missing)} not set: a workflow's job has the repository (OWNER/NAME) and passes "
            "${{ github.token }}; elsewhere set both, with your own token.",
            2,
        )
    if not (variables["GITHUB_TOKEN"].isascii() and variables["GITHUB_TOKEN"].isprintable()):
        raise StepFailedError("GITHUB_TOKEN has characters that no token has: set it again, without quotes.", 2)
    api = variables.get("GITHUB_API_URL") or "https://api.github.com"
    return Repository(api.rstrip("/"), variables["GITHUB_REPOSITORY"], variables["GITHUB_TOKEN"])


def write_comment(repository: Repository, pull_request: int, text: str) -> str:
    """Write a comment, or update the one with the same tag.

    Args:
        repository: where.
        pull_request: its number.
        text: Markdown; the first line is a hidden tag, ``<!-- NAME -->``, that tells one comment from another.

    Returns:
        What was done, in one line.

    Raises:
        StepFailedError: there is no tag, the text is too long, or GitHub refuses.
    """
    text = masked(text)
    tag = _first_line(text)
    if not TAG.fullmatch(tag):
        raise StepFailedError(f"the first line must be a hidden tag, <!-- NAME -->, and is: {tag[:80]!r}", 2)
    if length(text) > LONGEST_TEXT:
        raise StepFailedError(
            f"a comment has at most {LONGEST_TEXT:,} characters, this one {length(text):,}: cut it", 2
        )
    comments = f"issues/{pull_request}/comments"
    ours = _ours(repository, tag, _every(repository, comments, "pull-requests"))
    if ours:
        written = _send(repository, "PATCH", f"issues/comments/{ours[0]['id']}", "pull-requests", {"body": text})
        return f"Comment updated: {written['html_url']}"
    return f"Comment written: {_send(repository, 'POST', comments, 'pull-requests', {'body': text})['html_url']}"


def write_drift_issue(repository: Repository, environment: str, report: str, link: str) -> str:
    """Keep one open issue while an environment has drifted, and none when it has not.

    Args:
        repository: where.
        environment: the environment that the report must be of.
        report: what ``python -m verification drift --format json`` printed.
        link: address of the run that made the report.

    Returns:
        What was done, in one line.

    Raises:
        StepFailedError: the report is incomplete or of another environment, or GitHub refuses.
    """
    drift = _drift_report(environment, report)
    tag = hidden_tag("drift", environment)
    found = (issue for issue in _every(repository, "issues?state=open", "issues") if "pull_request" not in issue)
    existing = sorted(_ours(repository, tag, found), key=lambda issue: int(issue["number"]))
    if not drift.drifted:
        for issue in existing:
            _close(repository, issue, f"There is no drift any more ([run]({link})).")
        return f"No drift in {environment}; issues closed: {len(existing)}"
    content = {"title": f"Drift in {environment}", "body": _drift_text(tag, drift, link)}
    if not existing:
        opened = _send(repository, "POST", "issues", "issues", {**content, "labels": [LABEL]})
        return f"Issue opened: {opened['html_url']}"
    first, *others = existing
    for issue in others:
        _close(repository, issue, f"The same as #{first['number']}.")
    return f"Issue updated: {_send(repository, 'PATCH', f'issues/{first["number"]}', 'issues', content)['html_url']}"


def length(text: str) -> int:
    """A text's length as GitHub counts it: in UTF-16 units, as JavaScript does."""
    return len(text.encode("utf-16-le")) // 2


def clipped(text: str, room: int) -> str:
    """The beginning of a text that fits, in whole lines where it has several."""
    if length(text) <= room:
        return text
    kept = text.encode("utf-16-le")[: 2 * max(room, 0)].decode("utf-16-le", errors="ignore")
    return kept[: kept.rfind("\n")] if "\n" in kept else kept


def _close(repository: Repository, issue: Mapping[str, Any], why: str) -> None:
    _send(repository, "POST", f"issues/{issue['number']}/comments", "issues", {"body": why})
    _send(repository, "PATCH", f"issues/{issue['number']}", "issues", {"state": "closed"})


def _drift_report(environment: str, text: str) -> DriftReport:
    command = f"python -m verification drift --env {environment} --format json"
    try:
        report = read_json(text)
    except ValueError as error:
        raise StepFailedError(
            f"the file is not the complete output of `{command}` ({error}): look at what that command printed.", 2
        ) from None
    if report.environment != environment:
        raise StepFailedError(f"the report is of {report.environment}, not of {environment}: run `{command}`.", 2)
    return report


def _drift_text(tag: str, report: DriftReport, link: str) -> str:
    """The issue's text: the diffs in a code block, as much as fits."""
    environment, text = report.environment, masked(diffs(report)).strip()
    longest = max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)  # a text with backticks must not end the block
    before = (
        f"{tag}\n**{environment}** differs from the repository: {report.headline} ([run]({link})).\n\n"
        "Someone changed it by hand, or a merged change is not deployed yet. Write an intended manual change into the "
        f"repository; `{make('deploy', environment)}` undoes all others.\n\n"
        f"{fence}diff\n"
    )
    after = f"\n{fence}\n\nThis text is updated each night; the issue is closed when there is no drift any more.\n"
    cut = f"\n… cut here: `python -m verification drift --env {environment}` shows all of it"
    room = LONGEST_TEXT - length(before) - length(after)
    if length(text) > room:
        text = clipped(text, room - length(cut)) + cut
    return before + text + after


def _first_line(text: str | None) -> str:
    return (text or "").partition("\n")[0].strip()


def _ours(repository: Repository, tag: str, found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Items with the tag that a workflow or the token's own user wrote; those of other authors are never changed."""
    tagged = [item for item in found if _first_line(item.get("body")) == tag]
    if not tagged:
        return []
    user = _request(repository, "GET", f"{repository.api}/user")  # refused for a workflow's token, which has no user
    with _readable(repository):
        us = {WORKFLOWS, user.json()["login"]} if user.ok else {WORKFLOWS}
    return [item for item in tagged if (item.get("user") or {}).get("login") in us]


def _every(repository: Repository, path: str, permission: str) -> Iterator[Mapping[str, Any]]:
    """Every item of a list, page by page."""
    address = f"{repository.api}/repos/{repository.name}/{path}{'&' if '?' in path else '?'}per_page=100"
    seen = set()
    while address:
        seen.add(address)
        page = _checked(repository, _request(repository, "GET", address), permission)
        with _readable(repository):
            items = page.json()
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise TypeError("not a list of objects")
            address = page.links.get("next", {}).get("url", "")
            if address in seen:
                raise ValueError("a page is followed by an earlier one")
        yield from items


def _send(
    repository: Repository, method: str, path: str, permission: str, content: Mapping[str, Any]
) -> Mapping[str, Any]:
    address = f"{repository.api}/repos/{repository.name}/{path}"
    response = _checked(repository, _request(repository, method, address, content), permission)
    with _readable(repository):
        answer: dict[str, Any] = response.json()
        return {"html_url": answer.get("html_url", "")}


@contextmanager
def _readable(repository: Repository) -> Iterator[None]:
    """Turn what reading an answer raises into an error that names who answered."""
    try:
        yield
    except UNREADABLE as error:
        raise StepFailedError(
            f"{repository.api} answers, but not as GitHub's API does ({type(error).__name__}): check GITHUB_API_URL.", 2
        ) from None


def _request(
    repository: Repository, method: str, address: str, content: Mapping[str, Any] | None = None
) -> requests.Response:
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {repository.token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    what = f"{method} {address}"
    try:
        return current_limit().result(
            what, lambda: requests.request(method, address, json=content, headers=headers, timeout=TIMEOUT_SECONDS)
        )
    except (requests.RequestException, NoResultError) as error:
        raise StepFailedError(
            f"{repository.api} does not answer ({type(error).__name__}); run it again later.", 2
        ) from None


def _checked(repository: Repository, response: requests.Response, permission: str) -> requests.Response:
    """The response, if GitHub accepted the request.

    Raises:
        StepFailedError: GitHub refused it; the message says what to do.
    """
    if response.ok:
        return response
    refusal = f"GitHub refused {response.request.method} {response.url}: {response.status_code} {_message(response)}"
    raise StepFailedError(f"{refusal}\n{_advice(repository, response, permission)}", 2)


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except UNREADABLE:
        return response.reason


def _advice(repository: Repository, response: requests.Response, permission: str) -> str:
    """What to do about a refusal."""
    limited = response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers
    match response.status_code:
        case 403 | 429 if limited:
            return "This token has made too many requests: run it again in an hour."
        case 401:
            return "GITHUB_TOKEN is not valid, or has expired: a job's token ends with the job."
        case 403:
            return (
                f"The job needs `{permission}: write` under `permissions`, your own token the same permission; "
                "the token of a fork's pull request can never write."
            )
        case 404:
            return f"It does not exist in {repository.name}, or GITHUB_TOKEN may not read it (`{permission}: write`)."
        case 410:
            return f"Issues are switched off in {repository.name}: switch them on in its settings."
        case status if status >= 500:  # noqa: PLR2004 - HTTP's own classes
            return "GitHub has a problem: run it again later."
        case _:
            return "The message says what GitHub rejected."
