"""``python -m catalog check``: compile every SQL file and apply the house rules."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from catalog.check import check as check_folder
from catalog.command_line import run
from catalog.files import SQL
from catalog.findings import CatalogError
from catalog.loading import load_catalog
from catalog.model import Routine, Table, View

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


class Format(StrEnum):
    """How findings are printed."""

    text = "text"
    json = "json"


@app.command()
def check(
    sql: Annotated[Path, typer.Option(help="the folder of SQL files")] = SQL,
    output: Annotated[Format, typer.Option("--format", help="text or json")] = Format.text,
) -> None:
    """Print ``file:line:col rule message`` for each finding; exit 1 with findings, 2 if the folder is missing."""
    if not sql.is_dir():
        typer.echo(f"{sql}: the folder does not exist", err=True)
        raise typer.Exit(2)
    result = check_folder(sql, os.process_cpu_count() or 1)
    if output is Format.json:
        typer.echo(
            json.dumps([{**asdict(finding), "path": str(finding.path)} for finding in result.findings], indent=2)
        )
    else:
        for finding in result.findings:
            typer.echo(str(finding))
        typer.echo(f"{result.files} SQL files, {len(result.findings)} findings")
    raise typer.Exit(int(bool(result.findings)))


@app.command()
def rules() -> None:
    """Print the page of house rules, docs/house-rules.md."""
    from catalog.rules.page import house_rules  # noqa: PLC0415 - the other commands start without the analyzer

    typer.echo(house_rules(), nl=False)


@app.command()
def show(name: str) -> None:
    """Print an object of the catalog: its signature or columns, and what it reads, writes and calls."""
    found = [item for item in load_catalog() if item.name == name]
    if not found:
        typer.echo(f"the catalog has no object {name!r}", err=True)
        raise typer.Exit(2)
    for item in found:
        typer.echo(f"{type(item).__name__} {item.name} ({item.path})\n  {item.description or ''}")
        if isinstance(item, Table | View):
            for column in item.columns:
                typer.echo(f"  {column.name} {column.type.sql}{' NOT NULL' if column.required else ''}")
        if isinstance(item, Routine):
            for argument in item.arguments:
                typer.echo(f"  {argument.mode or ''} {argument.name} {argument.type.sql}".replace("   ", "  "))
        for verb in ("reads", "writes", "calls"):
            if names := sorted(getattr(item, verb)):
                typer.echo(f"  {verb} {', '.join(names)}")


if __name__ == "__main__":
    run("python -m catalog", app, (CatalogError,))
