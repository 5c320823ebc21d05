"""Fail if something that is installed with the package has a licence that binds ours.

Looks at the extras that are tested and all they lead to, not at [all], with which users
choose PyQt, and not at the tools of the developers. Licences that let others link to a
library without taking its licence (LGPL, MPL) are allowed.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "napari-mesmerize[gui,nwb,video,cluster,leica]"
BINDING = re.compile(r"GPL|General Public", re.I)
LESSER = re.compile(r"LGPL|Lesser|Library General", re.I)


def closure(lines: list[str]) -> dict[str, Distribution]:
    """Return the installed distributions that requirements lead to, by name."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(line, "") for line in lines]
    while waiting:
        line, extra = waiting.pop()
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        for one in {"", *requirement.extras}:
            if (name, one) not in seen:
                seen.add((name, one))
                waiting += [(need, one) for need in found[name].requires or []]
    return found


def licence(one: Distribution) -> str:
    """Return what a distribution says about its licence, in a line."""
    metadata = one.metadata
    classifiers = metadata.get_all("Classifier") or []
    said = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License")]
    text = metadata.get("License-Expression") or metadata.get("License") or ""
    return "; ".join([*said, text.strip().partition("\n")[0]]).strip("; ")


def main() -> int:
    """List all licences; return 1 if one is unknown or binds ours."""
    wrong = []
    for name, one in sorted(closure([PACKAGE]).items()):
        said = licence(one)
        print(f"{name:28} {one.version:16} {said[:70]}")
        if not said or (BINDING.search(said) and not LESSER.search(said)):
            wrong.append(f"{name} ({said or 'no licence named'})")
    if wrong:
        print("licences: not allowed: " + ", ".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
