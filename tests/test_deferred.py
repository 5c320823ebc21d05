"""Names that are imported when they are first used."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import napari_mesmerize

PACKAGES = ["napari_mesmerize", "napari_mesmerize.cnmf", "napari_mesmerize.motion"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_there_and_keeps_its_value(package):
    module = importlib.import_module(package)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) == getattr(module, name)
    with pytest.raises(AttributeError, match=f"{package} has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("package", PACKAGES)
def test_no_name_is_that_of_a_module(package):
    module = importlib.import_module(package)
    inside = {info.name for info in pkgutil.iter_modules(module.__path__)}
    assert not inside & set(module.__all__)


@pytest.mark.parametrize("name", ["motion.params", "cnmf.params", "engines"])
def test_params_come_without_the_compiler(name):
    code = f"import sys, napari_mesmerize.{name}; print('numba' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_submodule_is_no_deferred_name():
    from napari_mesmerize.motion import store

    assert store.__name__ == f"{napari_mesmerize.__name__}.motion.store"
