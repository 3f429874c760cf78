"""Environment files: what is wrong is said in one clear line each, and nothing is synthesized."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacks.environment import ENVIRONMENTS, EnvironmentFileError, json_schema, load_environment

REPOSITORY = Path(__file__).resolve().parent.parent.parent
GOOD = (ENVIRONMENTS / "prod.yaml").read_text(encoding="utf-8")


def problem_of(tmp_path: Path, text: str) -> str:
    """What is said of an environment file."""
    (tmp_path / "test.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(EnvironmentFileError) as caught:
        load_environment("test", tmp_path)
    return str(caught.value)


@pytest.mark.parametrize("name", [file.stem for file in ENVIRONMENTS.glob("*.yaml")])
def test_every_environment_of_the_repository_loads(name: str) -> None:
    assert load_environment(name).name == name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("location: US", "location: US\nregion: US", "test.yaml: unknown key 'region'"),
        ("location: US\n", "", "test.yaml: missing key 'location'"),
        ("  protect_data: true", "  protect_dta: true", "test.yaml: unknown key 'guards.protect_dta'"),
        ("project: of-scheduler-proj\n", "project: Bad_Project\n", "'Bad_Project' is no Google Cloud project id"),
        ("project: of-scheduler-proj\n", "project: short\n", "'short' is no Google Cloud project id"),
        ("dataset: eros_scheduling_brain", "dataset: eros-brain", "'eros-brain' is no BigQuery dataset id"),
        ("group:viewers@example.com", "viewers@example.com", "'viewers@example.com' is no IAM member"),
        ("group:viewers@example.com", "group:viewers", "'group:viewers' is no IAM member"),
        ("project_number: 300000000003", "project_number: -3", "project_number: Input should be greater than 0"),
        ("  bucket: of-scheduler-proj-terraform-state\n", "", "a bucket belongs to backend gcs"),
        ("protect_data: true", "protect_data: true\n  delete_dataset_contents: true", "the opposite of protect_data"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    problems = problem_of(tmp_path, GOOD.replace(old, new)).splitlines()
    assert any(said in line for line in problems), problems
    assert all(line.startswith("test.yaml: ") for line in problems)


def test_several_problems_are_told_at_once(tmp_path: Path) -> None:
    assert len(problem_of(tmp_path, GOOD.replace("location: US\n", "region: US\n")).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [("- a\n- b\n", "must hold keys and values"), ("", "must hold keys and values"), ("a: [", "not readable as YAML")],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in problem_of(tmp_path, text)


def test_an_unknown_environment_is_told_with_those_that_exist() -> None:
    with pytest.raises(EnvironmentFileError, match="local, prod, staging"):
        load_environment("nope")


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
    assert schema["additionalProperties"] is False
    assert {"project", "dataset", "location", "state", "guards", "members", "alert_email"} <= set(schema["required"])
    assert "name" not in schema["properties"]


@pytest.mark.parametrize("name", ["local", "staging", "prod"])
def test_every_environment_file_points_to_the_schema(name: str) -> None:
    first = (ENVIRONMENTS / f"{name}.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=schema.json"
