"""The file ``mesmerize.json``: read when it changed, replaced under a lock."""

from collections.abc import Callable
from pathlib import Path

from napari_mesmerize.errors import ProjectError
from napari_mesmerize.project import backups
from napari_mesmerize.project.config import (
    FORMAT,
    FORMAT_VERSION,
    Config,
    parse_config,
)
from napari_mesmerize.project.json_files import read_json, write_json, writing
from napari_mesmerize.project.locks import locked

FILE = "mesmerize.json"
_WAIT_S = 10.0


class Configuration:
    """A project's configuration on disk.

    Parameters
    ----------
    project : pathlib.Path
        The project folder.
    """

    def __init__(self, project: Path) -> None:
        self._project = project
        self._path = project / FILE
        self._cached: tuple[tuple[int, int, int], Config] | None = None

    def read(self) -> Config:
        """Return the configuration as it is on disk now.

        Raises
        ------
        ProjectError
            If the file is missing, damaged or of a newer version.
        """
        try:
            status = self._path.stat()
        except OSError as error:
            raise ProjectError(
                f"{self._path} can not be read: {error.strerror}. A project folder has "
                f"this file; {self._remedy()}"
            ) from error
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if self._cached is None or self._cached[0] != stamp:
            content = read_json(self._path, FORMAT, FORMAT_VERSION, self._remedy)
            config = parse_config(content, str(self._path), self._remedy)
            self._cached = (stamp, config)
        return self._cached[1]

    def change(self, change: Callable[[Config], Config]) -> None:
        """Replace the configuration; the old one is kept in ``backups/``.

        Raises
        ------
        ProjectError
            If it can not be written, or another process holds it for too long.
        """
        what = "The project's configuration"
        lock = self._project / f".{FILE}.lock"
        with writing(what, self._path), locked(lock, what, wait_s=_WAIT_S):
            old = self.read()
            new = change(old)
            if new != old:
                backups.keep_copy(self._project, self._path, "configuration changed")
                write_json(self._path, new.to_json())

    def _remedy(self) -> str:
        return backups.remedy(self._project, self._path)
