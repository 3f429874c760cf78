"""Prints texts that others wrote: credentials are masked, and no line is a command to GitHub's runner."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from declared.masking import masked

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from rich.console import ConsoleOptions, RenderableType
    from rich.segment import Segment

#: What the runner carries out in a job's log: `::error::` at the beginning of a line, `##[error]` anywhere.
_COMMAND = re.compile(r"^(\s*:)(?=:)|(#)(?=#\[)", re.MULTILINE)


def without_commands(text: str) -> str:
    """A text that stays text in a workflow's log; elsewhere it is unchanged."""
    return _COMMAND.sub(r"\1\2 ", text) if os.environ.get("GITHUB_ACTIONS") else text


def public(text: str) -> str:
    """A text that everybody may read, also in a workflow's log."""
    return without_commands(masked(text))


def write_out(text: str) -> None:
    """Print a text for a pipe: no wrapping, no colour, no line added."""
    sys.stdout.write(public(text))
    sys.stdout.flush()  # here, a deadline ends it when nobody reads


def mask_failures() -> None:
    """Print tracebacks that nothing catches, those of threads too, with credentials masked."""

    def print_masked(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(public(text))

    sys.excepthook = print_masked
    threading.excepthook = lambda failure: print_masked(failure.exc_type, failure.exc_value, failure.exc_traceback)


class MaskingFormatter(logging.Formatter):
    """Formats the lines of a log with credentials masked, tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, and the traceback if there is one."""
        return masked(super().format(record))


class MaskingConsole(Console):
    """A console that masks each text before it wraps it: a token that is in two lines is not recognised."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render with texts masked, at any depth: a cell of a table, too."""
        options = options or self.options
        if isinstance(renderable, str):
            renderable = self.render_str(renderable, highlight=options.highlight, markup=options.markup)
        if isinstance(renderable, Text) and (text := masked(renderable.plain)) != renderable.plain:
            renderable = Text(text, renderable.style, justify=renderable.justify, overflow=renderable.overflow)
        return super().render(renderable, options)

    def print(self, *objects: Any, **settings: Any) -> None:
        """Print like any console, but no line is a command to GitHub's runner."""
        if not os.environ.get("GITHUB_ACTIONS"):
            super().print(*objects, **settings)
            return
        with self.capture() as printed:
            super().print(*objects, **settings)
        self.file.write(without_commands(printed.get()))
