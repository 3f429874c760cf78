"""The CDKTF app: environment in, stacks out. ``EROS_ENV=prod .venv/bin/python main.py`` writes cdktf.out/.

With EROS_BOOTSTRAP set it writes only the bootstrap stack, so that no deployment ever touches it.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

# jsii starts the first `node` on the PATH: it must be the one that is installed next to this interpreter
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

from catalog import SQL, CatalogError, load_catalog
from catalog.command_line import run
from declared.environment import EnvironmentFileError
from declared.imports import adoption_file
from declared.loading import load_environment
from declared.masking import masked
from declared.names import stack_names


def synthesize(environment_name: str | None = None, sql: Path = SQL) -> None:
    """Write the Terraform configuration of every stack of an environment, or of its bootstrap stack.

    Args:
        environment_name: the environment; by default EROS_ENV, else ``local``.
        sql: the folder of SQL files.

    Raises:
        EnvironmentFileError: the environment's file, or the one that EROS_ADOPT names, cannot be used.
        CatalogError: SQL files that do not parse or compile.
        OSError: the folder of the configuration cannot be written.
    """
    environment = load_environment(environment_name)
    _check_place(Path(os.environ.get("CDKTF_OUTDIR", "cdktf.out")).absolute())
    if os.environ.get("EROS_BOOTSTRAP"):
        from stacks import bootstrap  # noqa: PLC0415 - as below

        bootstrap.synthesize(environment)
        return
    adoption = adoption_file(stack_names(environment.name))
    catalog = load_catalog(sql)
    from stacks import app  # noqa: PLC0415 - jsii starts with the import: not for a broken file

    app.synthesize(environment, catalog, adoption)


def _check_place(folder: Path) -> None:
    """Refuse a folder that cannot be written, for which jsii has a traceback."""
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(nearest))
    if not os.access(nearest, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(nearest))


def main() -> None:
    """Synthesize, with exit code 1 for SQL files that do not compile."""
    try:
        synthesize()
    except CatalogError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the findings, one per line
        sys.exit(1)
    except OSError as error:
        print(f"The synthesis cannot write its files: {error}", file=sys.stderr, flush=True)  # noqa: T201 - as above
        os._exit(2)  # jsii, half started, would add a traceback


if __name__ == "__main__":
    run("python main.py", main, (EnvironmentFileError,), masked)
