"""The cache: nothing that is read from it runs, what is broken or of others is made again, and none is needed."""

from __future__ import annotations

import os
import pickle
import subprocess
import tempfile
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from wasmtime import Engine, Module, wat2wasm

from catalog import cache, load_catalog, zetasql
from catalog.check import FORMS, results_of
from catalog.files import SQL, read_files
from local.provider import bindings
from local.provider.schema import Attribute, Block, Schema
from verification import stored_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEEP = 100_000


class Bomb:
    """An object whose pickle writes a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.write_text, (self.mark, "ran")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The cache folder of a home of the test's own; it does not exist yet."""
    zetasql.language()  # starts the analyzer, whose compiled form is in the cache of this machine
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cache.cache_folder.cache_clear()
    yield tmp_path / "xdg" / cache.NAME
    cache.cache_folder.cache_clear()


def broken(good: bytes, mark: Path) -> dict[str, bytes]:
    """Contents that are not what was written."""
    return {
        "a pickle": pickle.dumps(Bomb(mark)),
        "nothing": b"",
        "truncated": good[: len(good) // 2],
        "not UTF-8": b'"\xff\xfe"',
        "another type": b'{"reads": 3, "names": {}}',
        "no object": b"null",
        "nested lists": b"[" * DEEP,
        "nested types": b'[{"name":"x","path":"y","ddl":"z","returns":'
        + b'{"kind":"ARRAY","element":' * DEEP
        + b"null"
        + b"}" * (DEEP + 1)
        + b",[]]",
        "a number too long": b"[" + b"9" * DEEP + b"]",
    }


def test_a_bomb_is_a_bomb(tmp_path: Path) -> None:
    """The proof that the tests below would see a pickle that is loaded."""
    pickle.loads(pickle.dumps(Bomb(tmp_path / "mark")))  # noqa: S301 - its own bytes
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", broken(b"[]", Path()))
def test_a_broken_file_is_made_again_and_runs_nothing(folder: Path, tmp_path: Path, kind: str) -> None:
    files = [(path, text) for path, text in read_files(SQL) if path.parent.name == "tables"][:2]
    good = results_of(files)
    kept = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".cwasm"]
    assert len(kept) == 2 * len(files)  # the declaration of each, and what the analyzer found
    before = {path: path.read_bytes() for path in kept}
    for path in kept:
        path.write_bytes(broken(before[path], tmp_path / "mark")[kind])
    assert results_of(files) == good
    assert {path: path.read_bytes() for path in kept} == before
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("kind", broken(b"[]", Path()))
def test_no_other_room_is_misled_by_a_broken_file(
    folder: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"caption_key": [("safe-divide", "line 1: x")]}
    monkeypatch.setattr(stored_sql, "_analyzed", lambda _: found)
    assert stored_sql._findings({"caption_key": "text"}) == found  # noqa: SLF001 - the one place that caches it
    schemas = {"provider": Schema(Block({"project": Attribute("string")}))}
    monkeypatch.setattr(bindings, "_read_tarball", lambda *_: schemas)
    assert bindings.binding_schemas(["google_service_account"]) == schemas
    for path in filter(Path.is_file, folder.rglob("*")):
        path.write_bytes(broken(path.read_bytes(), tmp_path / "mark")[kind])
    assert stored_sql._findings({"caption_key": "text"}) == found  # noqa: SLF001 - the same
    assert bindings.binding_schemas(["google_service_account"]) == schemas
    assert not (tmp_path / "mark").exists()


def test_every_object_of_the_repository_survives_the_cache(request: pytest.FixtureRequest) -> None:
    catalog = load_catalog()
    request.getfixturevalue("folder")
    for item in catalog:
        cache.write(cache.key(item), (item, item.reads))
        assert cache.read(cache.key(item), FORMS[type(item)]) == (item, item.reads)


def test_the_folder_is_the_users_alone_and_in_no_checkout(folder: Path) -> None:
    assert cache.cache_folder() == folder
    cache.write(cache.key(1), "kept")
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.rglob("*"))} == {0}
    assert not folder.is_relative_to(SQL.parent)


@pytest.mark.parametrize(
    "content", ["others may write", "others may write the file", "a link", "a folder", "another's"]
)
def test_a_file_that_others_could_have_written_is_not_read(
    folder: Path, tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = cache.key(1)
    cache.write(key, "true")
    path = folder / key
    if content == "others may write the file":
        path.chmod(0o666)
    elif content == "others may write":
        folder.chmod(0o777)
        cache.cache_folder.cache_clear()
    elif content == "another's":
        another = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: another)
        cache.cache_folder.cache_clear()
    else:
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere") if content == "a link" else path.mkdir()
    assert cache.read(key, str) is None
    cache.write(key, "again")
    assert cache.read(key, str) in {"again", None}


def occupy_by_file(place: Path) -> None:
    """A file where a folder should be."""
    place.write_text("")


def occupy_by_link(place: Path) -> None:
    """A link to nothing."""
    place.symlink_to(place.parent / "nothing")


def occupy_by_loop(place: Path) -> None:
    """A link to itself."""
    place.symlink_to(place)


@pytest.mark.parametrize("occupy", [occupy_by_file, occupy_by_link, occupy_by_loop])
@pytest.mark.parametrize("part", ["home", "folder", "both", "code"])
def test_no_cache_is_needed(folder: Path, tmp_path: Path, occupy: Callable[[Path], None], part: str) -> None:
    key = cache.key(1)
    if part == "code":  # the folder of this code's results
        folder.mkdir(parents=True, mode=0o700)
        occupy(folder / key.partition("/")[0])
    else:
        if part == "folder":
            folder.parent.mkdir()
        occupy(folder if part == "folder" else folder.parent)
    if part == "both":
        occupy(tmp_path / f"{cache.NAME}-{os.geteuid()}")
    cache.write(key, "kept")
    assert cache.read(key, str) == (None if part in {"both", "code"} else "kept")
    assert cache.find("anything") is None


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache"),
    ],
)
def test_the_folder_follows_the_rules_of_xdg(
    variables: dict[str, str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    candidates = list(cache._candidates())  # noqa: SLF001 - those of a machine cannot be created by a test
    assert candidates == [Path(found) / cache.NAME, Path(tempfile.gettempdir()) / f"{cache.NAME}-{os.geteuid()}"]


def test_without_a_home_the_temporary_folder_serves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "nowhere")
    assert cache.cache_folder() == Path(tempfile.gettempdir()) / f"{cache.NAME}-{os.geteuid()}"


def test_a_write_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    cache.write(cache.key(1), "lost")
    assert cache.read(cache.key(1), str) is None
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_writers_and_a_process_that_deletes_do_not_meet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder counts as unused, so each writer that finds none deletes what the other one writes."""
    monkeypatch.setattr(cache, "KEPT_DAYS", -1)
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(200):
                cache.write(f"{name}-{number % 5}/result", name * 100)
                assert cache.read(f"{name}-{number % 5}/result", str) in {None, name * 100}
        except BaseException as error:  # noqa: BLE001 - a thread's error is the test's
            failures.append(error)

    writers = [threading.Thread(target=write, args=(name,)) for name in ("one", "two", "one")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert failures == []


def test_what_is_used_is_kept_and_what_is_not_is_deleted(folder: Path) -> None:
    old = cache.KEPT_DAYS * 24 * 3600 + 60
    for name in ("used/result", "unused/result", "used.cwasm", "unused.cwasm"):
        cache.write(name, "kept")
    for entry in folder.iterdir():
        os.utime(entry, (entry.stat().st_mtime - old,) * 2)
    cache._mark_used.cache_clear()  # noqa: SLF001 - another process
    assert cache.read("used/result", str) == cache.read("used.cwasm", str) == "kept"
    cache.write("new/result", "kept")
    assert {entry.name for entry in folder.iterdir()} == {"used", "used.cwasm", "new"}


@pytest.fixture
def compilations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was compiled, in place of the analyzer a module that compiles at once."""
    (tmp_path / "small.wasm").write_bytes(wat2wasm("(module)"))
    compiled: list[str] = []
    original = Module.from_file

    def from_file(engine: Engine, path: str) -> Module:
        compiled.append(path)
        return original(engine, path)

    monkeypatch.setattr(zetasql, "get_wasm_path", lambda: tmp_path / "small.wasm")
    monkeypatch.setattr(Module, "from_file", from_file)
    return compiled


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "of others", "linked"])
def test_a_damaged_or_foreign_module_is_compiled_again(
    folder: Path, tmp_path: Path, compilations: list[str], damage: str
) -> None:
    engine = Engine()
    zetasql._compiled(engine)  # noqa: SLF001 - the one place that caches native code
    zetasql._compiled(engine)  # noqa: SLF001
    assert len(compilations) == 1
    (kept,) = folder.glob("*.cwasm")
    good = kept.read_bytes()
    match damage:
        case "of others":
            kept.chmod(0o662)
        case "linked":
            kept.symlink_to(kept.rename(tmp_path / "elsewhere"))
        case _:
            kept.write_bytes({"garbage": b"x" * len(good), "truncated": good[: len(good) // 2], "empty": b""}[damage])
    zetasql._compiled(engine)  # noqa: SLF001
    zetasql._compiled(engine)  # noqa: SLF001
    assert len(compilations) == 2


def test_a_module_belongs_to_the_version_that_compiled_it(
    folder: Path, compilations: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    zetasql._compiled(Engine())  # noqa: SLF001
    monkeypatch.setattr(zetasql, "version", lambda _: "0")
    zetasql._compiled(Engine())  # noqa: SLF001
    assert len(compilations) == len(list(folder.glob("*.cwasm"))) == 2


@pytest.mark.parametrize("name", cache.ANALYZER)
def test_a_result_belongs_to_the_versions_that_made_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.code_digest.cache_clear()
    before = cache.code_digest()
    monkeypatch.setattr(cache, "version", lambda each: "0" if each == name else version(each))
    cache.code_digest.cache_clear()
    assert cache.code_digest() != before
    cache.code_digest.cache_clear()


def test_no_file_of_a_kind_that_is_made_comes_with_the_repository() -> None:
    """A compiled module, a cache, an installed package: code that no reviewer sees, and that would run."""
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    listed = subprocess.run(command, cwd=SQL.parent, capture_output=True, text=True, check=True)
    assert listed.stdout.splitlines() == []
