"""Environment files: each problem is one clear line, and nothing is synthesized."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from catalog.files import REPOSITORY
from declared.environment import EnvironmentFileError, json_schema
from declared.loading import ENVIRONMENTS, load_environment, previews
from declared.names import LOCAL

if TYPE_CHECKING:
    from pathlib import Path

GOOD = (ENVIRONMENTS / "prod.yaml").read_text(encoding="utf-8")


def problem_of(tmp_path: Path, text: str) -> str:
    """What is said of an environment file."""
    (tmp_path / "test.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(EnvironmentFileError) as caught:
        load_environment("test", tmp_path)
    return str(caught.value)


FILES = [file.stem for file in ENVIRONMENTS.glob("*.yaml")]


@pytest.mark.parametrize("file", FILES)
def test_every_environment_of_the_repository_loads(file: str) -> None:
    name = f"{file}-7" if file in previews() else file
    assert load_environment(name).name == name


def test_each_environment_has_its_own_project_and_state() -> None:
    """Accounts, policies and scheduled queries of a project have the same names in each environment."""
    environments = [load_environment(file) for file in FILES if file not in previews()]
    assert len({environment.project for environment in environments}) == len(environments)
    buckets = [environment.state.bucket for environment in environments if environment.state.bucket]
    assert len(set(buckets)) == len(buckets)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("location: US", "location: US\nregion: US", "test.yaml:7: unknown key 'region'"),
        ("location: US\n", "", "test.yaml: missing key 'location'"),
        (
            "location: US",
            "location: us",
            "'us' is not a BigQuery location: write US, EU or a region such as us-central1",
        ),
        ("location: US", "location: Mars", "'Mars' is not a BigQuery location"),
        ("  protect_data: true", "  protect_dta: true", "unknown key 'guards.protect_dta'"),
        ("project: of-scheduler-proj\n", "project: Bad_Project\n", "'Bad_Project' is not a Google Cloud project id"),
        ("project: of-scheduler-proj\n", "project: short\n", "'short' is not a Google Cloud project id"),
        ("dataset: eros_scheduling_brain", "dataset: eros-brain", "'eros-brain' is not a BigQuery dataset id"),
        ("group:viewers@example.com", "viewers@example.com", "'viewers@example.com' is not an IAM member"),
        ("group:viewers@example.com", "group:viewers", "'group:viewers' is not an IAM member"),
        ("project_number: 300000000003", "project_number: -3", "project_number: Input should be greater than 0"),
        ("  bucket: of-scheduler-proj-terraform-state\n", "", "backend gcs needs a bucket"),
        ("repository: example-org/eros-infrastructure", "repository: eros", "'eros' is not a GitHub repository"),
        ("repository: example-org/eros-infrastructure", "repository: https://a.b/c", "is not a GitHub repository"),
        ("repository: example-org/eros-infrastructure", "repository: a/it's", '"a/it\'s" is not a GitHub repository'),
        ("  repository: example-org/eros-infrastructure\n", "  branch: main\n", "missing key 'github.repository'"),
        ("protect_data: true", "protect_data: true\n  delete_dataset_contents: true", "the opposite of protect_data"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    problems = problem_of(tmp_path, GOOD.replace(old, new)).splitlines()
    assert any(said in line for line in problems), problems
    assert all(re.match(r"test\.yaml:(\d+:)? ", line) for line in problems)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)) + "project: *a59\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, "an alias"),
        ("project: &a [*a]", "an alias"),
        ("x: &x {project: p}\n<<: *x", "an alias"),
        ("a: " + "[" * 3_000 + "]" * 3_000, "more than 20 levels"),
        ("a: " + "[" * 60_000, "more than 20 levels"),
        ("".join(" " * level + "a:\n" for level in range(300)), "more than 20 levels"),
        (f"{GOOD}# {'x' * 70_000}", "larger than 65536 bytes"),
        ("project: " + "9" * 5_000, "9999.* is not of the type int .* line 1, column 10"),
        ("project: 2026-99-99", "'2026-99-99' is not of the type timestamp"),
        ("project: 0x_", "is not of the type"),
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", "the key 'c' a second time: remove one .* line 5, column 3"),
        (f"{GOOD}location: EU\n", "the key 'location' a second time"),
        ("{a: 1, 'a': 2}", "the key 'a' a second time"),
        ("project: !!bool maybe", "is not of the type"),
        ("project: !!timestamp never", "is not of the type"),
        ("project: !!int ''", "is not of the type"),
        ("project: !!python/object/apply:os.system ['touch ran']", "could not determine a constructor"),
        ("project: !!python/name:os.system", "could not determine a constructor"),
    ],
)
def test_a_file_that_would_run_code_or_never_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(EnvironmentFileError, match=rf"^test\.yaml: .*{said}"):
        load_environment("test", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test.yaml"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing"])
def test_what_is_not_a_file_is_said(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "test.yaml"
    match kind:
        case "pipe":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case _:
            place.symlink_to("nothing")
    with pytest.raises(EnvironmentFileError, match=r"^test\.yaml: not readable: not a file"):
        load_environment("another", tmp_path)


def test_several_problems_are_shown_together(tmp_path: Path) -> None:
    assert len(problem_of(tmp_path, GOOD.replace("location: US\n", "region: US\n")).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n- b\n", "must contain keys and values"),
        ("", "must contain keys and values"),
        ("a: [", "not readable as YAML"),
    ],
)
def test_a_file_without_a_mapping_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in problem_of(tmp_path, text)


@pytest.mark.parametrize(
    "name", ["nope", "x" * 1_000, "../environments/local", "/etc/passwd", "a\nb", "a\0b", "\udcff"]
)
def test_an_unknown_environment_is_named_with_those_that_exist(name: str) -> None:
    with pytest.raises(EnvironmentFileError, match=r"^no environment '.{0,320} \(there are: local, .*prod, .*staging"):
        load_environment(name)


def test_a_file_with_a_name_that_no_environment_has(tmp_path: Path) -> None:
    (tmp_path / "new\nline.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(EnvironmentFileError, match=r"^new\\nline\.yaml: the name is not lower-case letters"):
        load_environment("nope", tmp_path)


def test_a_long_value_is_shown_in_part(tmp_path: Path) -> None:
    assert len(problem_of(tmp_path, GOOD.replace("location: US", f"location: [{'x' * 9_000}]"))) < 400


@pytest.mark.parametrize(("variable", "value"), [("EROS_ENV", "nope"), ("EROS_ADOPT", "no-such-file.json")])
def test_the_app_ends_with_words_and_exit_code_2(tmp_path: Path, variable: str, value: str) -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "main.py"],
        cwd=tmp_path,
        env={**os.environ, "EROS_ENV": "local", variable: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert value in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "cdktf.out").exists()


def test_the_json_schema_is_the_settings_classes() -> None:
    """An editor that knows the schema says what loading would refuse."""
    assert (ENVIRONMENTS / "schema.json").read_text() == json_schema(), "python -m operations environment-schema"
    schema = json.loads(json_schema())
    assert [kind["$ref"] for kind in schema["anyOf"]] == ["#/$defs/Environment", "#/$defs/PreviewFile"]
    environment, preview = schema["$defs"]["Environment"], schema["$defs"]["PreviewFile"]
    assert environment["additionalProperties"] is preview["additionalProperties"] is False
    required = {"project", "dataset", "location", "state", "guards", "members", "alert_email"}
    assert required <= set(environment["required"])
    assert not {"name", "number", "preview"} & set(environment["properties"])
    assert set(preview["properties"]) == {"preview"}


@pytest.mark.parametrize("file", FILES)
def test_every_environment_file_points_to_the_schema(file: str) -> None:
    first = (ENVIRONMENTS / f"{file}.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=schema.json"


def test_a_preview_is_its_host_under_its_own_names() -> None:
    local, seven = load_environment("local"), load_environment("preview-local-7")
    shared = ("project", "project_number", "location", "endpoint", "state", "alert_email")
    assert [getattr(seven, key) for key in shared] == [getattr(local, key) for key in shared]
    assert (seven.number, seven.dataset, seven.system) == (7, "eros_scheduling_brain_pr7", "eros-pr7")
    assert seven.service_account == "eros-pr7-etl@eros-local.iam.gserviceaccount.com"
    assert (seven.host, seven.file) == ("local", "environments/local.yaml")
    assert seven.dataset_labels == {"system": "eros", "environment": "preview-local-7", "expires_after_days": "7"}
    assert (seven.guards.on, seven.guards.delete_dataset_contents) == (False, True)
    assert not any((seven.members.viewers, seven.members.etl, seven.members.developers, seven.members.admins))
    assert (local.number, local.system, local.host, local.tables_expire_after_days) == (None, "eros", "local", None)


def test_a_second_template_with_the_same_host_is_refused(tmp_path: Path) -> None:
    """Its preview 7 would have the dataset of the other's."""
    for name in ("preview", "preview-qa"):
        (tmp_path / f"{name}.yaml").write_text("preview: {beside: staging, expires_after_days: 7}")
    with pytest.raises(EnvironmentFileError, match=r"preview-qa\.yaml names staging already"):
        previews(tmp_path)


def test_an_environment_has_one_file_of_previews() -> None:
    """Two would give two previews of one number the same names."""
    beside = [preview.beside for preview in previews().values()]
    assert len(beside) == len(set(beside))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("preview-local", "preview-local is the template of previews: name one by its number, such as preview-local-7"),
        *(
            (f"preview-local-{number}", "number is an integer from 1 to 999999, such as preview-local-7")
            for number in ("0", "07", "-7", "seven", "1000000", "7 ")
        ),
        ("nope-7", "no environment 'nope-7' .*local, .*prod, .*staging, preview-local-NUMBER, preview-NUMBER"),
    ],
)
def test_a_preview_is_named_by_its_number(name: str, said: str) -> None:
    with pytest.raises(EnvironmentFileError, match=said):
        load_environment(name)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("preview: {beside: prod, expires_after_days: 7}", "test.yaml: preview.beside: prod guards its data"),
        ("preview: {beside: nope, expires_after_days: 7}", "no environment 'nope'"),
        ("preview: {beside: test, expires_after_days: 7}", "test is the template of previews"),
        ("preview: {beside: prod}", "test.yaml:1: missing key 'preview.expires_after_days'"),
        ("preview: {beside: prod, expires_after_days: 0}", "test.yaml:1: preview.expires_after_days: "),
        ("preview: {beside: prod, expires_after_days: 7}\nproject: p", "test.yaml:2: unknown key 'project'"),
    ],
)
def test_a_wrong_file_of_previews_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "test.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "prod.yaml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(EnvironmentFileError) as caught:
        load_environment("test-7", tmp_path)
    (line,) = str(caught.value).splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("serviceAccount:eros-pr7-etl@eros-local.iam.gserviceaccount.com", True),
        ("serviceAccount:eros-pr1234-etl@eros-local.iam.gserviceaccount.com", True),
        ("serviceAccount:eros-pr07-etl@eros-local.iam.gserviceaccount.com", False),
        ("serviceAccount:eros-pr7-etl@another-project.iam.gserviceaccount.com", False),
        ("serviceAccount:eros-pr7-etl@eros-local.iam.gserviceaccount.com.example.com", False),
        ("user:eros-pr7-etl@eros-local.iam.gserviceaccount.com", False),
        ("serviceAccount:eros-etl@eros-local.iam.gserviceaccount.com", False),
    ],
)
def test_only_a_previews_own_account_is_taken_for_one(member: str, expected: bool) -> None:
    assert load_environment("local").is_account_of_a_preview(member) is expected
    guarded = load_environment("prod").model_copy(update={"project": "eros-local"})
    assert not guarded.is_account_of_a_preview(member), "a guarded environment hosts no preview"


def test_an_empty_name_is_not_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that a workflow did not get must not deploy, or destroy, another environment."""
    monkeypatch.setenv("EROS_ENV", "")
    with pytest.raises(EnvironmentFileError, match="empty"):
        load_environment()
    monkeypatch.delenv("EROS_ENV")
    assert load_environment().name == LOCAL
