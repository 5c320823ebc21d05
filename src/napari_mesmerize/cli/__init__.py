"""The command line: ``napari-mesmerize``, a thin layer over the same functions."""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from napari_mesmerize.cli.output import print_error, print_json, print_warning
from napari_mesmerize.errors import MesmerizeError, explain

_log = logging.getLogger(__name__)
LOG = "NAPARI_MESMERIZE_LOG"
"""Environment variable: a file to which everything that happens is written."""
EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 only when its work is done.

    Errors become one readable paragraph on standard error (with ``--json`` also an
    object ``{"error": ...}`` on standard output); ``--debug``, anywhere on the line,
    adds the traceback. Where the environment variable ``NAPARI_MESMERIZE_LOG`` names a
    file, tracebacks and whatever else is logged are appended to it.
    """
    from napari_mesmerize.cli.commands import app

    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        with _logging_to(os.environ.get(LOG, "")), warnings.catch_warnings():
            warnings.showwarning = _show_warning
            return _run(app, words, debug)
    except OSError as error:
        print_error(f"The file that {LOG} names can not be written: {error}.")
        return EXIT_FAILED


@contextmanager
def _logging_to(path: str) -> Iterator[None]:
    """Append to a file what the package logs; to none if there is no path."""
    if not path:
        yield
        return
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logger = logging.getLogger("napari_mesmerize")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
        handler.close()


def _run(app: typer.Typer, words: Sequence[str], debug: bool) -> int:
    try:
        code = typer.main.get_command(app).main(
            words, prog_name="napari-mesmerize", standalone_mode=False
        )
    except (typer.Abort, KeyboardInterrupt):
        print_error("Interrupted. No half-written result is left.")
        return EXIT_INTERRUPTED
    except (MesmerizeError, MemoryError, OSError) as error:
        return _fail(error, explain(error), words, EXIT_FAILED, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last place before the user
        if isinstance(code := getattr(error, "exit_code", None), int):
            return _usage(error, words, code)
        text = f"{explain(error)} Run the command again with --debug to see it."
        return _fail(error, text, words, EXIT_FAILED, debug=debug)
    return code if isinstance(code, int) else 0


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Show a warning as a paragraph on standard error, not its place in the code."""
    print_warning(str(message))


def _usage(error: Any, words: Sequence[str], code: int) -> int:
    """Report what typer (or the click inside it) says of the words on the line."""
    hint = "napari-mesmerize --help lists the commands, COMMAND --help their options."
    return _fail(error, f"{error.format_message()} {hint}", words, code)


def _fail(
    error: BaseException,
    text: str,
    words: Sequence[str],
    code: int,
    *,
    debug: bool = False,
) -> int:
    _log.debug("%s", text, exc_info=error)
    if debug:
        traceback.print_exception(error)
    print_error(text)
    if "--json" in words:
        print_json({"error": text, "type": type(error).__name__})
    return code
