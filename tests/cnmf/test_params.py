import pytest

from napari_mesmerize.cnmf import Cnmf3dParams, CnmfeParams, CnmfParams

ORIGINAL = {
    "p",
    "gnb",
    "merge_thr",
    "rf",
    "stride",
    "K",
    "gSig",
    "gSiz",
    "ssub",
    "tsub",
    "method_init",
    "min_corr",
    "min_pnr",
    "min_SNR",
    "r_values_min",
    "decay_time",
    "ring_size_factor",
    "border_pix",
    "refit",
    "noise_method",
    "s_min",
    "optimize_g",
    "center_psf",
}


@pytest.mark.parametrize("model", [CnmfParams, CnmfeParams, Cnmf3dParams])
def test_names_of_the_original_are_there(model):
    fields = model.model_json_schema()["properties"]
    also = {field["also"] for field in fields.values() if "also" in field}
    assert also >= ORIGINAL
    assert all(field.get("description") for field in fields.values())


@pytest.mark.parametrize("model", [CnmfParams, CnmfeParams, Cnmf3dParams])
def test_defaults_are_valid_and_unknown_names_are_not(model):
    assert model(**model().model_dump()) == model()
    with pytest.raises(ValueError, match="gSig"):
        model(gSig=5)
