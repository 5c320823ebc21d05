"""The errors that users see: what came, what was expected, what to do.

And whose fault an error is: :class:`reading` tells a damaged file from a full memory
and from a fault of our own.
"""

import errno
import logging
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from types import FrameType, TracebackType

_log = logging.getLogger(__name__)


class MesmerizeError(Exception):
    """Parent of all errors raised on purpose; its text is meant for users."""


class ReadError(MesmerizeError, OSError):
    """A file can not be read as what it claims to be."""


class WriteError(MesmerizeError, OSError):
    """A file or folder can not be written; nothing half written stays."""


class ParameterError(MesmerizeError, ValueError):
    """A parameter or an input array does not fit."""


class ProjectError(MesmerizeError, OSError):
    """A project folder can not be opened or changed as asked."""


class MissingExtraError(MesmerizeError, ImportError):
    """An optional part is not installed; the text names the line that installs it."""


class Cancelled(MesmerizeError):
    """Raised inside a progress callable to stop a running computation."""


LIBRARIES = frozenset(
    {"av", "h5py", "imagecodecs", "liffile", "numcodecs", "tifffile", "zarr"}
)
"""Libraries that read files for us."""
DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ExceptionGroup,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What they raise over damaged bytes."""
_REFUSED = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ENOTDIR}
    | {errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE, errno.EAGAIN}
)
_FULL = "Memory ran out"
_COPY = "It is damaged or something else; copy it again from where it was recorded."


class reading:
    """Tell what goes wrong in a block that reads a file.

    What a library raises over damaged bytes becomes a ``ReadError`` that names the
    file; what the system refuses becomes one with its reason. A full memory stays a
    ``MemoryError``. An error that our own code raises comes out as it is, since it is
    no fault of the file.

    Parameters
    ----------
    path : path
        The file.
    what : str
        What it is read as, such as ``"HDF5"``.
    remedy : str, optional
        What to do about a damaged one.
    libraries : collection of str, optional
        Packages whose errors speak of the file.

    Examples
    --------
    >>> import h5py
    >>> from napari_mesmerize.errors import ReadError, reading
    >>> try:
    ...     with reading("movie.h5", "HDF5"):
    ...         h5py.File("movie.h5")
    ... except ReadError as error:
    ...     print(error)
    movie.h5 can not be read: No such file or directory.
    """

    __slots__ = ("_libraries", "_path", "_remedy", "_what")

    def __init__(
        self,
        path: str | Path,
        what: str,
        *,
        remedy: str = _COPY,
        libraries: frozenset[str] = LIBRARIES,
    ) -> None:
        self._path = path
        self._what = what
        self._remedy = remedy
        self._libraries = libraries

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Translate what was raised."""
        if error is None or isinstance(error, MesmerizeError):
            return
        told = self._told(error)
        if told is not None:
            _log.debug("%s", told, exc_info=error)
            raise told from error

    def _told(self, error: BaseException) -> Exception | None:
        """Return the error to raise instead; None where it stays as it is."""
        name = Path(self._path).name
        if _is_full_memory(error):
            known = str(error).startswith(_FULL)
            return None if known else out_of_memory(f"{name} was read", error)
        if isinstance(error, OSError) and error.errno in _REFUSED:
            return ReadError(f"{name} can not be read: {_reason(error)}.")
        broken = isinstance(error, (*DAMAGE, MemoryError))
        if broken and is_raised_in(error, self._libraries):
            why = str(error).rstrip(".") or type(error).__name__
            return ReadError(
                f"{name} can not be read as {self._what}: {why}. {self._remedy}"
            )
        if isinstance(error, OSError):
            return ReadError(f"{name} can not be read: {_reason(error)}.")
        return None


def is_raised_in(error: BaseException, libraries: frozenset[str] = LIBRARIES) -> bool:
    """Say whether an error was raised in a library that our code had called.

    Our own code counts from the last place of the traceback where it runs: a function
    of ours that a library calls back is ours.
    """
    inside = False
    trace = error.__traceback__
    while trace is not None:
        package = _package_of(trace.tb_frame)
        if package == __package__:
            inside = False
        inside = inside or package in libraries
        trace = trace.tb_next
    return inside


def out_of_memory(when: str, error: BaseException) -> MemoryError:
    """Return the error that says when memory ran out, and what to do."""
    size = f" ({error})" if str(error) else ""
    return MemoryError(
        f"{_FULL} while {when}{size}. Close other programs, or work on fewer "
        "frames at once (a smaller --max-memory, max_memory=...)."
    )


def explain(error: BaseException) -> str:
    """Return an error as a text for users: whose fault it is, and what to do."""
    text = str(error)
    if isinstance(error, MesmerizeError):
        return text
    if isinstance(error, MemoryError):
        known = text.startswith(_FULL)
        return text if known else str(out_of_memory("it was computed", error))
    if isinstance(error, OSError):
        return f"{text.rstrip('.')}."
    return (
        f"{type(error).__name__}: {text.rstrip('.')}. This is a fault of "
        "napari-mesmerize, not of your data; please report it with its traceback."
    )


def _package_of(frame: FrameType) -> str:
    """Return the package that a frame runs in; compiled modules have only a file."""
    name = frame.f_globals.get("__name__") or frame.f_code.co_filename
    return re.split(r"[./\\]", str(name), maxsplit=1)[0]


def _is_full_memory(error: BaseException) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.subgroup(MemoryError) is not None
    full = isinstance(error, OSError) and error.errno == errno.ENOMEM
    nested = is_raised_in(error, frozenset({"ast"}))  # too deep for Python's parser
    return full or (isinstance(error, MemoryError) and not nested)


def _reason(error: OSError) -> str:
    known = error.errno in _REFUSED and os.strerror(error.errno or 0)
    return (known or error.strerror or str(error) or type(error).__name__).rstrip(".")
