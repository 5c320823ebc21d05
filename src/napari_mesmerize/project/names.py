"""Names that every file system can hold: sample ids, columns, stimulus types."""

import unicodedata

from napari_mesmerize.errors import ParameterError

SEPARATOR = "-_-"
MAX_CHARACTERS = 64
MAX_BYTES = 100
_FORBIDDEN = '<>:"/\\|?*'
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{device}{n}" for device in ("COM", "LPT") for n in "0123456789¹²³"]
)


def clean_name(name: str, what: str) -> str:
    """Return ``name`` in Unicode's composed form (NFC) if it can be part of a path.

    Parameters
    ----------
    name : str
        The name to check.
    what : str
        What it names, for the message: ``animal_id``.

    Raises
    ------
    ParameterError
        If Windows, macOS or Linux could not hold it, or would change it.
    """
    if not isinstance(name, str):
        raise ParameterError(
            f"{what}={name!r} is of type {type(name).__name__}; expected text, "
            f"for instance {what}='{name}'."
        )
    name = unicodedata.normalize("NFC", name)
    problem = _problem_of_length(name) or _problem_of_characters(name)
    if problem:
        raise ParameterError(
            f"{what}={name!r} can not be part of a file name on every system: "
            f"{problem}. Use letters, digits, '-', '_' and spaces inside."
        )
    return name


def _problem_of_length(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > MAX_CHARACTERS:
        return f"it has {len(name)} characters, {MAX_CHARACTERS} are the most"
    try:
        n_bytes = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "it holds characters that are no valid Unicode"
    if n_bytes > MAX_BYTES:
        return f"it takes {n_bytes} bytes as UTF-8, {MAX_BYTES} are the most"
    return ""


def _problem_of_characters(name: str) -> str:
    for character in name:
        if character in _FORBIDDEN:
            return f"it holds {character!r}"
        if unicodedata.category(character) in (
            "Cc",
            "Cf",
            "Co",
            "Cs",
            "Cn",
            "Zl",
            "Zp",
        ):
            return f"it holds the invisible character U+{ord(character):04X}"
    if name != name.strip():
        return "it begins or ends with a space"
    if name.startswith("."):
        return "it begins with a dot (a hidden file)"
    if name.endswith("."):
        return "it ends with a dot, which Windows drops"
    if name.split(".")[0].rstrip().upper() in _RESERVED:
        return f"{name.split('.')[0].rstrip().upper()} is a device on Windows"
    return ""


def make_sample_id(animal_id: str, trial_id: str) -> str:
    """Return ``<animal_id>-_-<trial_id>``, checked.

    Raises
    ------
    ParameterError
        If a part can not be in a file name, or the id could be taken apart otherwise.
    """
    animal = clean_name(animal_id, "animal_id")
    trial = clean_name(trial_id, "trial_id")
    sample_id = f"{animal}{SEPARATOR}{trial}"
    found = sum(sample_id.startswith(SEPARATOR, i) for i in range(len(sample_id)))
    if found != 1:
        raise ParameterError(
            f"animal_id={animal!r} and trial_id={trial!r} make the sample id "
            f"{sample_id!r}, in which {SEPARATOR!r} stands {found} times instead of "
            f"once; keep {SEPARATOR!r} out of both, '-_' from the end and '_-' from "
            "the start."
        )
    return sample_id


def fold_name(name: str) -> str:
    """Return what two names share that one file system or another takes for the same.

    Windows and macOS ignore case, macOS ignores the Unicode form.
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_column(name: str, taken: dict[str, str], what: str) -> str:
    """Return a column's name, composed (NFC), if it is new and fits.

    Parameters
    ----------
    name : str
        The name to check.
    taken : dict
        Names that are in use, and what each is.
    what : str
        What is named, for the message: ``ROI tag``.

    Raises
    ------
    ParameterError
        If it is empty, too long, holds control characters or is in use.
    """
    if not isinstance(name, str):
        raise ParameterError(f"{what} {name!r} is no text; give its name as a string.")
    name = unicodedata.normalize("NFC", name).strip()
    if not name or len(name) > MAX_CHARACTERS or not name.isprintable():
        raise ParameterError(
            f"{what} {name!r} can not be a column; expected 1 to {MAX_CHARACTERS} "
            "printable characters."
        )
    for other, use in taken.items():
        if fold_name(other) == fold_name(name):
            raise ParameterError(
                f"{what} {name!r}: the name {other!r} is already {use}; choose another."
            )
    return name
