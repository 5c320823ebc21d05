"""The command line: ``napari-mesmerize``, a thin layer over the same functions."""

import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any

import typer

from napari_mesmerize.cli.output import print_error, print_json, print_warning
from napari_mesmerize.errors import MesmerizeError

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 only when its work is done.

    Errors become one readable paragraph on standard error (with ``--json`` also an
    object ``{"error": ...}`` on standard output); ``--debug``, anywhere on the line,
    adds the traceback.
    """
    from napari_mesmerize.cli.commands import app

    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        return _run(app, words, debug)


def _run(app: typer.Typer, words: Sequence[str], debug: bool) -> int:
    try:
        code = typer.main.get_command(app).main(
            words, prog_name="napari-mesmerize", standalone_mode=False
        )
    except (typer.Abort, KeyboardInterrupt):
        print_error("Interrupted. No half-written result is left.")
        return EXIT_INTERRUPTED
    except MesmerizeError as error:
        return _fail(error, str(error), words, EXIT_FAILED, debug=debug)
    except MemoryError as error:
        text = "Memory ran out. Close other programs, or give a smaller --max-memory."
        return _fail(error, text, words, EXIT_FAILED, debug=debug)
    except OSError as error:
        return _fail(error, f"{error}.", words, EXIT_FAILED, debug=debug)
    except Exception as error:  # noqa: BLE001 - the last place before the user
        if isinstance(code := getattr(error, "exit_code", None), int):
            return _usage(error, words, code)
        text = (
            f"{type(error).__name__}: {error}. This is a fault of napari-mesmerize; "
            "run the command again with --debug and report what it prints."
        )
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
    if debug:
        traceback.print_exception(error)
    print_error(text)
    if "--json" in words:
        print_json({"error": text, "type": type(error).__name__})
    return code
