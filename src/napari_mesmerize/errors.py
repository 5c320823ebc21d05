"""The errors that users see: what came, what was expected, what to do."""


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
