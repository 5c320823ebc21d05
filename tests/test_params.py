"""Params from mappings: values pass, mistakes are explained."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field, model_validator

from napari_mesmerize.errors import ParameterError
from napari_mesmerize.params import parse_params


class Params(BaseModel, frozen=True, extra="forbid"):
    max_shift: Annotated[int, Field(ge=1, description="Largest shift")] = 10
    whiten: bool = True

    @model_validator(mode="after")
    def _check(self):
        if self.max_shift == 13:
            raise ValueError("13 brings bad luck")
        return self


def test_values_pass_and_the_rest_keeps_its_default():
    assert parse_params(Params, {"max_shift": 3}) == Params(max_shift=3)
    assert parse_params(Params, {}) == Params()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"max_shift": 0}, "max_shift=0: .*greater than or equal to 1"),
        ({"max_shift": "wide"}, "max_shift='wide'"),
        ({"maxshift": 3}, "'maxshift' is no parameter of Params; did you mean 'max_sh"),
        ({"gain": 3}, "known are max_shift, whiten"),
        ({"max_shift": 13}, "the combination.*: 13 brings bad luck"),
        ({"max_shift": 0, "gain": 1}, "max_shift=0.*'gain'"),
    ],
)
def test_mistakes_are_explained(values, text):
    with pytest.raises(ParameterError, match=text):
        parse_params(Params, values)
