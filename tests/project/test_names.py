"""Ids hold on every file system, and can be taken apart again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.project.names import (
    check_column,
    clean_name,
    fold_name,
    make_sample_id,
)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "it is empty"),
        ("a/b", "it holds '/'"),
        ("a\\b", "it holds"),
        ("what?", "it holds '\\?'"),
        ("a:b", "it holds ':'"),
        ("tab\there", "invisible character U\\+0009"),
        ("zero\u200bwidth", "invisible character U\\+200B"),
        (" lead", "begins or ends with a space"),
        (".hidden", "begins with a dot"),
        ("end.", "ends with a dot"),
        ("CON", "a device on Windows"),
        ("lpt1.txt", "a device on Windows"),
        ("x" * 65, "65 characters, 64 are the most"),
        ("\u20ac" * 40, "120 bytes as UTF-8"),
        ("\ud800", "no valid Unicode"),
        (7, "of type int; expected text"),
    ],
)
def test_names_that_a_system_can_not_hold_are_refused(name, why):
    with pytest.raises(ParameterError, match=why):
        clean_name(name, "animal_id")


@pytest.mark.parametrize(
    ("animal", "trial"),
    [("a-_-b", "c"), ("a", "b-_-c"), ("a-_", "b"), ("a", "_-b"), ("a-", "_-_b")],
)
def test_ids_that_could_be_taken_apart_otherwise_are_refused(animal, trial):
    with pytest.raises(ParameterError, match="keep '-_-' out of both"):
        make_sample_id(animal, trial)


@given(st.text(max_size=20), st.text(max_size=20))
def test_an_accepted_id_can_be_taken_apart_and_written_as_a_folder(
    tmp_path_factory, animal, trial
):
    try:
        sample_id = make_sample_id(animal, trial)
    except ParameterError:
        return
    assert sample_id == make_sample_id(*sample_id.split("-_-"))
    folder = tmp_path_factory.getbasetemp() / "names" / sample_id
    folder.mkdir(parents=True, exist_ok=True)
    assert folder.parent.name == "names"


def test_unicode_forms_and_case_fold_to_one():
    assert clean_name("a\u0308", "animal_id") == "\u00e4"
    assert fold_name("MÄUSE") == fold_name("ma\u0308use")


def test_columns_are_checked():
    assert check_column(" cell type ", {}, "ROI tag") == "cell type"
    with pytest.raises(ParameterError, match="already an ROI tag"):
        check_column("Region", {"region": "an ROI tag"}, "ROI tag")
    with pytest.raises(ParameterError, match="printable characters"):
        check_column("a\nb", {}, "ROI tag")
    with pytest.raises(ParameterError, match="is no text"):
        check_column(3, {}, "ROI tag")
