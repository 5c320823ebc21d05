"""The examples in the docstrings run, and each public function has one."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import napari_mesmerize

PACKAGE = Path(napari_mesmerize.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# everything that the page of functions documents
PUBLIC = (
    "napari_mesmerize",
    "napari_mesmerize.cnmf",
    "napari_mesmerize.cnmf.preview",
    "napari_mesmerize.curation",
    "napari_mesmerize.data.components",
    "napari_mesmerize.data.epochs",
    "napari_mesmerize.data.recording",
    "napari_mesmerize.data.rois",
    "napari_mesmerize.history",
    "napari_mesmerize.io",
    "napari_mesmerize.io.results",
    "napari_mesmerize.io.signals",
    "napari_mesmerize.motion",
    "napari_mesmerize.plots",
    "napari_mesmerize.progress",
    "napari_mesmerize.project",
    "napari_mesmerize.simulation",
    "napari_mesmerize.transforms",
)


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


WITH_EXAMPLES = sorted(
    module_name(path)
    for path in PACKAGE.rglob("*.py")
    if "    >>> " in path.read_text("utf-8")
)


def public_functions() -> dict[str, object]:
    """Return all functions of the public modules by full name."""
    found = {}
    for module in map(importlib.import_module, PUBLIC):
        names = getattr(module, "__all__", None)
        for name in names or vars(module):
            value = getattr(module, name)
            own = names or getattr(value, "__module__", "") == module.__name__
            if inspect.isfunction(value) and own and not name.startswith("_"):
                found[f"{value.__module__}.{name}"] = value
    return found


FUNCTIONS = public_functions()


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_run(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    report: list[str] = []
    for test in doctest.DocTestFinder().find(module, name):
        folder = tmp_path / test.name
        folder.mkdir()
        monkeypatch.chdir(folder)
        runner.run(test, out=report.append)
    assert not runner.summarize(verbose=False).failed, "".join(report)
    assert runner.tries, f"{name} has an example that is not found"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_public_function_says_when_to_use_it_and_shows_it(name):
    documentation = inspect.getdoc(FUNCTIONS[name]) or ""
    missing = [
        section
        for section in ("Notes", "Examples")
        if f"\n{section}\n{'-' * len(section)}\n" not in documentation
    ]
    assert not missing, f"{name} lacks {missing}"
    assert ">>> " in documentation.partition("\nExamples\n")[2], name


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_public_function_documents_its_parameters_and_its_result(name):
    function = FUNCTIONS[name]
    documentation = inspect.getdoc(function) or ""
    _, _, after = documentation.partition("\nParameters\n")
    documented = re.findall(r"[*\w]+", after.partition("\nNotes\n")[0])
    signature = inspect.signature(function)
    missing = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.name not in {word.lstrip("*") for word in documented}
    ]
    assert not missing, f"{name} does not document {missing}"
    if signature.return_annotation not in (None, "None"):
        assert re.search(r"^(Returns|Yields)$", documentation, re.MULTILINE), name
