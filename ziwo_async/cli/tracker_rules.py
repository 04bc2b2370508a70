"""A rules file: a Python file with one `TrackerService` in it; how it is loaded, and how its decisions are shown."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated, TypeAlias

import typer
from pydantic import JsonValue

from .. import EXIT_CODES, ConfigError
from ..webhooks import Answer, Decision, Rule, TrackerService
from ..webhooks.handler import THREAD_NAME
from .running import fail

__all__ = [
    "RulesFile",
    "as_line",
    "failures_shown_once",
    "hanging_threads_left",
    "has_failed",
    "load_rules",
    "said_instead",
]

RulesFile: TypeAlias = Annotated[
    Path, typer.Argument(metavar="FILE", help="A Python file with a TrackerService in it.", show_default=False)
]

_MODULE = "ziwo_rules_file"
# Seconds for threads that are done to end.
_PATIENCE = 1.0


def load_rules(path: Path) -> TrackerService:
    """Run a rules file, and give the service in it.

    Files beside it can be imported, and its `__name__` is not `__main__`.

    Raises:
        Exit: There is no such file, it fails, or it has no service, or several.
    """
    if not path.is_file():
        fail(f"there is no file {path}", EXIT_CODES["configuration"])
    module = ModuleType(_MODULE)
    module.__file__ = str(path)
    # Dataclasses and pydantic look up the module of a class.
    sys.modules[_MODULE] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), vars(module))  # noqa: S102 - asked for
    except ConfigError as error:
        fail(f"{path}{_line(error, path)}: {error}", EXIT_CODES["configuration"])
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the file is somebody's program, and may do anything
        fail(f"{path}{_line(error, path)}: {type(error).__name__}: {error}", EXIT_CODES["configuration"])
    found = {name: value for name, value in vars(module).items() if isinstance(value, TrackerService)}
    if not found:
        fail(f"{path} has no TrackerService", EXIT_CODES["configuration"])
    if len({id(value) for value in found.values()}) > 1:
        fail(f"{path} has several services: {', '.join(sorted(found))}", EXIT_CODES["configuration"])
    return next(iter(found.values()))


def _line(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines = [
        number for frame, number in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)
    ]
    return f", line {lines[-1]}" if lines else ""


@contextmanager
def failures_shown_once() -> Generator[None]:
    """Show the first failure of a handler with its traceback on stderr, and no other."""
    logger = logging.getLogger("ziwo_async.webhooks")
    handler = _First()
    logger.addHandler(handler)
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(handler)


@contextmanager
def hanging_threads_left() -> Generator[None]:
    """End a command even if a handler hangs in a thread, for which Python would wait, perhaps for ever.

    Threads that were there before are somebody else's: a program may call the command in its own process.
    """
    before = set(threading.enumerate())
    try:
        yield
    except typer.Exit as end:
        until = time.monotonic() + _PATIENCE
        threads = [
            thread for thread in threading.enumerate() if thread not in before and thread.name.startswith(THREAD_NAME)
        ]
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            sys.stdout.flush()
            sys.stderr.write("ziwo: a handler still hangs in a thread, and is left there\n")
            sys.stderr.flush()
            os._exit(end.exit_code)
        raise


class _First(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._shown = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._shown:
            self._shown = True
            sys.stderr.write(f"{self.format(record)}\n")


def has_failed(tracker: TrackerService) -> bool:
    """Whether a handler failed or took too long."""
    return bool(tracker.stats.failed or tracker.stats.timed_out)


def said_instead(decision: Decision) -> str | None:
    """What to say when there are no rules; None when there are some."""
    if decision.answer.rules or decision.answer.extra:
        return None
    if decision.source == "handler":
        return "no rules"
    return "no rules and no fallback: ZIWO is told that it failed, and plays the tracker's error playback"


def as_line(answer: Answer) -> str:
    """An answer in a few words, such as `0505874603 as 061234567 for 10 s, then 047654321 for 15 s`."""
    parts = ", then ".join(_words(rule) for rule in answer.rules) or "no rules"
    return f"{parts}; {_extra(answer.extra)}" if answer.extra else parts


def _words(rule: Rule) -> str:
    action = "" if rule.action == "call" else f"{rule.action} "
    shown = "" if rule.caller_id is None else f" as {rule.caller_id}"
    extra = f" ({_extra(rule.extra)})" if rule.extra else ""
    return f"{action}{rule.number}{shown} for {rule.timeout} s{extra}"


def _extra(extra: Mapping[str, JsonValue]) -> str:
    return ", ".join(f"{key}={json.dumps(value)}" for key, value in extra.items())
