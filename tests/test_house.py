"""The house as the docs draw it is the house as it stands."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_mesmerize"
ROOMS = sorted(path.parent for path in PACKAGE.rglob("__init__.py"))
MOST_LINES = 600
# what these words mean is the same wherever they stand
SAME_EVERYWHERE = {
    "__init__",
    "dock",
    "export",
    "frames",
    "items",
    "outlines",
    "params",
    "read",
    "recording",
    "results",
    "run",
    "source",
    "traces",
    "write",
}


def first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_each_room_says_what_it_is(room):
    assert first_line(room / "__init__.py").endswith(".")


@pytest.mark.parametrize(
    "page", ["docs/explanation/architecture.md", "CONTRIBUTING.md"]
)
def test_the_drawing_shows_each_floor(page):
    text = (ROOT / page).read_text("utf-8")
    drawing = " ".join(re.findall(r"```text\n(.*?)```", text, re.DOTALL))
    tops = {path.name for path in ROOMS if path.parent == PACKAGE}
    tops |= {path.stem for path in PACKAGE.glob("*.py") if path.stem[0] != "_"}
    missing = [name for name in tops if not re.search(rf"\b{name}\b", drawing)]
    assert not missing, f"{page} does not draw {missing}"


def test_the_drawing_names_the_rooms_inside_the_large_ones():
    text = (ROOT / "docs/explanation/architecture.md").read_text("utf-8")
    for room in ("motion", "cnmf", "widgets"):
        inside = {path.name for path in ROOMS if path.parent == PACKAGE / room}
        (line,) = re.findall(rf"^\| `{room}` \|(.*)$", text, re.MULTILINE)
        named = set(re.findall(r"`(\w+)`", line))
        assert inside <= named, f"{room}: {sorted(inside - named)}"


def test_no_file_is_a_warehouse():
    long = {
        str(path.relative_to(PACKAGE)): count
        for path in PACKAGE.rglob("*.py")
        if (count := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_no_name_of_a_module_stands_twice_with_two_meanings():
    places = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        places[path.stem].append(str(path.relative_to(PACKAGE)))
    twice = {
        name: found
        for name, found in places.items()
        if len(found) > 1 and name not in SAME_EVERYWHERE
    }
    assert not twice
