"""The console that everything is printed on."""

from __future__ import annotations

import errno
import os
from typing import NoReturn

from rich.console import Console

__all__ = ["Screen"]


class Screen(Console):
    """A console whose output may end early, as in `ziwo listen | head`: then the command ends, like any other tool."""

    def on_broken_pipe(self) -> NoReturn:
        """Tell it as the error that the command line knows; rich would end the program from inside a task.

        Raises:
            BrokenPipeError: Always.
        """
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
