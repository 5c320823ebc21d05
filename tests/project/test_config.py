"""Columns of a project: their types hold, and can not be made twice."""

import math

import numpy as np
import pytest

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.project import CustomColumn, create_project, open_project


def test_custom_columns_in_each_way_of_writing_them(tmp_path):
    project = create_project(
        tmp_path / "p",
        custom_columns={
            "genotype": str,
            "age_days": {"dtype": "int", "default": 3},
            "weight_g": "float",
            "blind": bool,
        },
    )
    listed = [CustomColumn(name="genotype", dtype="str"), {"name": "n", "dtype": int}]
    create_project(tmp_path / "q", custom_columns=listed)
    columns = {c.name: c for c in open_project(project.path).config.custom_columns}
    assert [c.dtype for c in columns.values()] == ["str", "int", "float", "bool"]
    assert columns["age_days"].default == 3
    assert math.isnan(columns["weight_g"].default)
    assert columns["blind"].default is False


@pytest.mark.parametrize(
    ("dtype", "given", "held"),
    [
        ("int", 3, 3),
        ("int", 3.0, 3),
        ("int", np.int32(4), 4),
        ("float", 3, 3.0),
        ("float", np.float32(0.5), 0.5),
        ("str", "x", "x"),
        ("bool", np.True_, True),
        ("int", None, 0),
    ],
)
def test_values_are_held_as_their_column_says(dtype, given, held):
    value = CustomColumn(name="c", dtype=dtype).convert(given)
    assert value == held
    assert type(value) is type(held)


@pytest.mark.parametrize(
    ("dtype", "given"),
    [
        ("int", 3.5),
        ("int", True),
        ("int", "3"),
        ("int", 2**63),
        ("float", "x"),
        ("float", True),
        ("str", 3),
        ("bool", 1),
    ],
)
def test_values_of_another_type_are_refused(dtype, given):
    column = CustomColumn(name="c", dtype=dtype)
    with pytest.raises(ParameterError, match=f"holds {dtype}; .* Give a value of type"):
        column.convert(given)


def test_wrong_columns_are_refused_with_the_reason(tmp_path):
    def make(**keywords):
        create_project(tmp_path / "p", **keywords)

    with pytest.raises(ParameterError, match=r"dtype 'date'; expected one of str, int"):
        make(custom_columns={"day": "date"})
    with pytest.raises(ParameterError, match="'age' holds int; 'old' is of type str"):
        make(custom_columns={"age": {"dtype": int, "default": "old"}})
    with pytest.raises(ParameterError, match="'comments' is already a column of every"):
        make(roi_tags=["comments"])
    with pytest.raises(ParameterError, match="'x' is already an ROI tag"):
        make(roi_tags=["x"], custom_columns={"X": str})
    with pytest.raises(ParameterError, match=r"give a list: \['region'\]"):
        make(roi_tags="region")
    with pytest.raises(ParameterError, match="already a stimulus type"):
        make(stimulus_types=["odour", "odour"])
    assert not (tmp_path / "p").exists()


def test_a_value_for_a_column_that_is_not_there_is_refused(project):
    with pytest.raises(ParameterError, match="no custom column 'age'; it has age_days"):
        project.add_sample("m1", "t1", custom={"age": 3})
    with pytest.raises(ParameterError, match="'age_days' holds int; 'x'"):
        project.add_sample("m1", "t1", custom={"age_days": "x"})


def test_a_change_by_another_process_is_seen(project):
    other = open_project(project.path)
    other.add_roi_tag("layer")
    assert project.roi_tags == ("region", "layer")
    project.add_roi_tag("depth")
    assert other.roi_tags == ("region", "layer", "depth")


def test_entries_of_a_later_minor_version_are_kept(project):
    path = project.path / "mesmerize.json"
    path.write_text(path.read_text().replace("{", '{"lab": "ours",', 1))
    project.add_roi_tag("layer")
    assert '"lab": "ours"' in path.read_text()
