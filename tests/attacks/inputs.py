"""Draws bad inputs of every kind, by a seed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from declared.loading import ENVIRONMENTS
from declared.names import stack_names, state_file
from tests.attacks.answers import ANSWERS, PORT
from tests.attacks.attack import FINE, FOUND, IMPOSSIBLE, Attack
from tests.attacks.mutation import FILES, spoilt, spoilt_json
from tests.attacks.sql_texts import TEXTS, folder_of
from tests.operations.plans import change, update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY = (FINE, FOUND, IMPOSSIBLE)
PROD = (ENVIRONMENTS / "prod.yaml").read_text(encoding="utf-8")
STACKS = ("warehouse", "routines", "access", "monitoring", "automation")
TABLE = {"table_id": "messages", "labels": {"system": "eros"}, "schema": '[{"name": "id", "type": "INT64"}]'}
PLAN = {
    "format_version": "1.2",
    "resource_changes": [
        change("google_bigquery_table.messages", "create", None, TABLE),
        update("google_bigquery_table.tips", TABLE, {**TABLE, "labels": {}}),
        change("google_bigquery_dataset.brain", "delete create", {"dataset_id": "a"}, {"dataset_id": "b"}),
    ],
    "resource_drift": [update("google_bigquery_table.tips", TABLE, {**TABLE, "table_id": "x"})],
    "errored": False,
}
STATE = {"version": 4, "terraform_version": "1.5.7", "serial": 3, "lineage": "a", "outputs": {}, "resources": []}
#: A GitHub that does not answer.
GITHUB = {"GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t", "GITHUB_API_URL": "http://127.0.0.1:9"}
#: What no name, number, address, format or place of a file is.
WORDS = (
    *(
        "",
        " ",
        "-1",
        "0",
        "1e9",
        "NaN",
        "inf",
        "x" * 1_000,
        "a\nb",
        "../../etc/passwd",
        "$(touch x)",
        "'; x",
        "\x1b[31m",
    ),
    *("é😀", "\udcff", "null", "[]", "{}", "@team", "999999999999999999999", "-", "--", "%s", "*"),
)
#: Commands with an option or argument that takes no such word. The word comes last.
TAKING = {
    "catalog": ("check --format", "check --sql", "show --", "check --nope", ""),
    "operations": (
        *("plan-summary --env", "plan-summary --format", "deploy --env", "plan --env", "destroy --env", "adopt --env"),
        *("destroy --stack", "bootstrap --env", "day --env", "cost --env", "cost --format", "run-schedules --env"),
        *("preview sweep --env", "preview up --env local --", "preview down --env local --", "comment --pull-request"),
        *("comment --file", "drift-issue --file", "preview", "plan --nope", ""),
    ),
    "verification": (
        *("--env", "--suite", "--test", "--format", "--settle", "--deadline", "drift --env", "drift --format"),
        *("doctor --case", "doctor --env", "doctor --format", "--nope", ""),
    ),
    "local": ("status --format", "serve --port", "up --nope", "serve --nope", ""),
}
#: Commands that read an environment and need no server; each says what is wrong with its name.
READING = {
    "operations": ("plan-summary", "plan", "day", "adopt", "run-schedules", "destroy", "deploy", "cost"),
    "verification": ("", "drift", "doctor"),
    "local": ("seed", "up"),
}

#: Commands that no variable of the surroundings may stop.
HARMLESS = {
    "catalog": ("check", "--sql", "{place}/sql"),
    "verification": ("--list",),
    "operations": ("--help",),
    "local": ("env",),
}


def drawn(seed: int, count: int) -> list[Attack]:
    """Bad inputs of each kind in turn.

    Args:
        seed: decides everything about them.
        count: how many.
    """
    random = Random(seed)  # noqa: S311 - bad inputs, not secrets
    kinds = [_environments, _sql, _plans, _options, _answers, _variables, _files, _adoptions, _states]
    sources = itertools.cycle([kind(random) for kind in kinds])
    return [next(source) for source in itertools.islice(sources, count)]


def _written(name: str, content: str) -> Callable[[Path], Any]:
    def write(place: Path) -> None:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8", "surrogatepass"))

    return write


def _difference(good: str, bad: str) -> str:
    """The first line that differs, for a report."""
    lines = itertools.zip_longest(good.split("\n"), bad.split("\n"))
    return next((repr(line)[:80] for known, line in lines if line != known), "no difference")


def _environments(random: Random) -> Iterator[Attack]:
    while True:
        text = spoilt(PROD, random)
        make = _written("environments/test.yaml", text)
        arguments = ("plan-summary", "--env", "test", "--plans", "{place}/nowhere")
        yield Attack(
            "environment", _difference(PROD, text), "operations", arguments, make, names=("test.yaml", "test-")
        )


def _sql(random: Random) -> Iterator[Attack]:
    while True:
        folder = random.choice(list(TEXTS))
        text = spoilt(TEXTS[folder], random)

        def make(place: Path, folder: str = folder, text: str = text) -> None:
            folder_of(place, folder, text)

        arguments = ("check", "--sql", "{place}/sql")
        yield Attack(
            "SQL", f"{folder}: {_difference(TEXTS[folder], text)}", "catalog", arguments, make, codes=(FINE, FOUND)
        )


def _plans(random: Random) -> Iterator[Attack]:
    while True:
        bad, text = random.choice(STACKS), spoilt_json(PLAN, random)

        def make(place: Path, bad: str = bad, text: str = text) -> None:
            for stack in STACKS:
                content = text if stack == bad else '{"resource_changes": []}'
                _written(f"plans/eros-prod-{stack}.json", content)(place)

        arguments = ("plan-summary", "--env", "prod", "--plans", "{place}/plans")
        codes = ANY if _is_object(text) else (IMPOSSIBLE,)
        yield Attack("plan", text[:60], "operations", arguments, make, codes=codes, names=(f"eros-prod-{bad}",))


def _options(random: Random) -> Iterator[Attack]:
    while True:
        program = random.choice(list(TAKING))
        command, word = random.choice(TAKING[program]), random.choice(WORDS)
        arguments = (*command.split(), word)
        if (command == "serve --port" and word == "0") or command in {"--settle", "--deadline"}:
            arguments = (*arguments, "--nope")  # the word may be a right one
        codes = (FOUND, IMPOSSIBLE) if command == "check --sql" else (IMPOSSIBLE,)
        yield Attack("option", f"{program} {command} {word[:40]!r}", program, arguments, codes=codes)


def _answers(random: Random) -> Iterator[Attack]:
    commands = [("operations", "day"), ("operations", "cost"), ("operations", "run-schedules")]
    commands += [("verification", f"{command} --deadline 8") for command in ("", "drift", "doctor")]
    while True:
        program, command = random.choice(commands)
        name = random.choice(list(ANSWERS))
        local = (ENVIRONMENTS / "local.yaml").read_text(encoding="utf-8")
        lines = [line for line in local.splitlines() if not line.startswith("endpoint:")]

        def make(place: Path, name: str = name, lines: list[str] = lines) -> None:
            text = "\n".join([*lines, f"endpoint: http://127.0.0.1:{PORT[0]}", ""])
            _written("environments/local.yaml", text)(place)
            PORT[1:] = [name]

        arguments = (*command.split(), "--env", "local")
        yield Attack("API answer", f"{program} {command}: {name}", program, arguments, make, codes=(FOUND, IMPOSSIBLE))


def _variables(random: Random) -> Iterator[Attack]:
    while True:
        word = random.choice(WORDS)
        yield random.choice([_of_environment, _of_github, _of_surroundings])(word, random)


def _of_environment(word: str, random: Random) -> Attack:
    word = word.strip() or "/"
    program = random.choice(list(READING))
    command = random.choice(READING[program])
    what = f"EROS_ENV={word[:40]!r} {program} {command}"
    arguments, variables = tuple(command.split()), {"EROS_ENV": word}
    return Attack("variable", what, program, arguments, variables=variables, names=("no environment",))


def _of_github(word: str, random: Random) -> Attack:
    name = random.choice(["GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_API_URL"])
    arguments = ("comment", "--pull-request", "1", "--file", "{place}/a.md")
    make = _written("a.md", "<!-- a -->")
    return Attack("variable", f"{name}={word[:40]!r}", "operations", arguments, make, {**GITHUB, name: word or None})


def _of_surroundings(word: str, random: Random) -> Attack:
    given: dict[str, str | None] = dict.fromkeys(
        [
            "XDG_CACHE_HOME",
            "LINES",
            "TERM",
            "NO_COLOR",
            "PYTHONIOENCODING",
            "GITHUB_ACTIONS",
            "LC_ALL",
            "EROS_PROVIDER",
        ],
        word,
    )
    given |= {"COLUMNS": "9" * 20, "HOME": None}
    name, program = random.choice(list(given)), random.choice(list(HARMLESS))

    def make(place: Path) -> None:
        folder_of(place, "tables", TEXTS["tables"])

    what = f"{name}={(given[name] or 'nothing')[:40]!r} {program}"
    variables = {name: given[name]} | ({"XDG_CACHE_HOME": None} if name == "HOME" else {})
    codes = (FOUND, IMPOSSIBLE) if program == "local" else (FINE,)  # no server serves NOWHERE
    return Attack("variable", what, program, HARMLESS[program], make, variables, codes)


def _files(random: Random) -> Iterator[Attack]:
    while True:
        kind = random.choice(list(FILES))
        place_of, program, command = random.choice(
            [
                ("sql/tables/kept.sql", "catalog", "check --sql {place}/sql"),
                ("sql", "catalog", "check --sql {place}/sql"),
                ("environments/test.yaml", "operations", "plan-summary --env test"),
                ("plans/eros-prod-warehouse.json", "operations", "plan-summary --env prod --plans {place}/plans"),
                ("plans", "operations", "plan-summary --env prod --plans {place}/plans"),
                ("report.json", "operations", "drift-issue --link x --file {place}/report.json"),
                ("comment.md", "operations", "comment --pull-request 1 --file {place}/comment.md"),
                ("data/x", "local", "serve --port 0 --data {place}/data/x/y"),
            ]
        )
        if place_of == "data/x" and kind in {"a folder", "missing", "a link to nothing"}:
            continue  # a good place for data

        def make(place: Path, place_of: str = place_of, kind: str = kind) -> None:
            path = place / place_of
            path.parent.mkdir(parents=True, exist_ok=True)
            FILES[kind](path)

        variables: dict[str, str | None] = {**GITHUB}
        read = place_of != "sql" or kind == "a folder"
        codes = (FOUND,) if program == "catalog" and read else (IMPOSSIBLE,)
        about_content = kind in {"binary", "empty"} and place_of in {"comment.md", "report.json"}
        unnamed = about_content or place_of == "data/x"
        names = () if unnamed else (Path(place_of).name, Path(place_of).stem)
        yield Attack("file", f"{place_of}: {kind}", program, tuple(command.split()), make, variables, codes, names)


def _adoptions(random: Random) -> Iterator[Attack]:
    good = {"eros-prod-warehouse": {"google_bigquery_table.messages": "projects/p/datasets/d/tables/messages"}}
    while True:
        text = spoilt_json(good, random)
        kind = random.choice([None, None, None, *FILES])

        def make(place: Path, kind: str | None = kind, text: str = text) -> None:
            (FILES[kind] if kind else lambda path: _written(path.name, text)(path.parent))(place / "adopt.json")

        variables: dict[str, str | None] = {"EROS_ADOPT": "{place}/adopt.json", "EROS_ENV": "prod"}
        codes = (FINE, IMPOSSIBLE) if kind is None and _is_object(text) else (IMPOSSIBLE,)
        what = kind or text[:60]
        yield Attack("adoption", what, "tests.attacks.adopting", (), make, variables, codes, ("EROS_ADOPT",))


def _states(random: Random) -> Iterator[Attack]:
    """A state file that Terraform did not write, beside its backup or alone."""
    stacks = stack_names("local")
    while True:
        stack, whole = random.choice(stacks), json.dumps(STATE)
        cut = whole[: random.randrange(1, len(whole))]
        texts = {"cut": cut, "empty": "", "not JSON": spoilt(whole, random), "foreign": spoilt_json(STATE, random)}
        what, backup = random.choice(list(texts)), random.choice([None, whole, *texts.values()])

        def make(place: Path, stack: str = stack, text: str = texts[what], backup: str | None = backup) -> None:
            _written(state_file(stack), text)(place)
            if backup is not None:
                _written(f"{state_file(stack)}.backup", backup)(place)

        shown = f"{what}: {texts[what][:40]!r}, {'no ' if backup is None else ''}backup"
        yield Attack("state", shown, "tests.attacks.restoring", ("{place}",), make, codes=(FINE,))


def _is_object(text: str) -> bool:
    """Whether a text is JSON, and an object."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
