"""CaImAn's HDF5 files (CNMF, CNMF-E, volumes) to components."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from napari_mesmerize.data.components import Background, Components
from napari_mesmerize.errors import ParameterError, ReadError, reading
from napari_mesmerize.history import StepTimer
from napari_mesmerize.io.hdf5 import check_heaps, open_hdf5, read_whole

_SCORES = {
    "SNR_comp": "snr",
    "r_values": "r_value",
    "cnn_preds": "cnn",
    "ecc": "eccentricity",
    "neurons_sn": "noise",
    "bl": "baseline",
    "c1": "initial_calcium",
    "lam": "sparsity",
}
_IMAGES = {"correlation": "Cn", "mean": "mn", "background": "b0", "noise": "sn"}
_REMEDY = (
    "Expected the HDF5 file that cnm.save(...) writes; copy it again, or save it anew."
)


def read(
    path: str | Path,
    *,
    image_shape: Sequence[int] | None = None,
    only_accepted: bool = False,
) -> Components:
    """Read what CaImAn's ``cnm.save`` wrote; CaImAn is not needed.

    Parameters
    ----------
    path : path
        The ``.hdf5`` file.
    image_shape : sequence of int, optional
        (height, width) or (n_planes, height, width), where the file does not say it.
    only_accepted : bool, optional
        Leave out components that were rejected.

    Returns
    -------
    Components
        Numbers as stored. Traces ``denoised`` (C), ``residual`` (YrA), ``raw``
        (C + YrA), ``spikes`` (S), ``dff`` (F_dff); scores ``snr`` (SNR_comp),
        ``r_value`` (r_values), ``cnn`` (cnn_preds), ...; ``component`` is the row in
        the file. Components that were not evaluated are accepted.

    Raises
    ------
    ReadError
        If it is no such file, damaged, or its arrays do not fit each other.
    """
    path = Path(path)
    timer = StepTimer("read_results", {"format": "caiman"}, inputs=[str(path)])
    with reading(path, "a result of CaImAn", remedy=_REMEDY):
        check_heaps(path)
        with open_hdf5(path) as file:
            components = _File(file, path, image_shape).components()
    if only_accepted:
        components = components.select(components.accepted)
    components.history.extend(timer.extend([]))
    return components


def read_images(path: str | Path) -> dict[str, NDArray[np.float32]]:
    """Return the images in the file: correlation, mean, constant background, noise."""
    path = Path(path)
    images = {}
    with reading(path, "a result of CaImAn", remedy=_REMEDY):
        check_heaps(path)
        with open_hdf5(path) as file:
            opened = _File(file, path, None)
            for name, key in _IMAGES.items():
                values = opened.array(key)
                if values is None or values.size != opened.n_pixels:
                    continue
                if values.ndim == 1:
                    values = opened.to_image(values)
                elif values.ndim == 3:
                    values = values.transpose(2, 0, 1)
                images[name] = np.asarray(values, np.float32)
    return images


class _File:
    """An open file; CaImAn writes the text "NoneType" where it has nothing."""

    def __init__(
        self, file: h5py.File, path: Path, image_shape: Sequence[int] | None
    ) -> None:
        self._file, self._path = file, path
        if "estimates" not in file:
            raise ReadError(
                f"{path} has no group 'estimates', it is no result of CaImAn. Expected "
                "the HDF5 file that cnm.save(...) writes."
            )
        self._estimates = file["estimates"]
        self.dims = self._dims(image_shape)
        self.n_pixels = int(np.prod(self.dims, dtype=object))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width) or (n_planes, height, width); CaImAn has (y, x, z)."""
        return (self.dims[2], *self.dims[:2]) if len(self.dims) == 3 else self.dims

    def array(self, name: str) -> NDArray[Any] | None:
        """Return an array of the estimates, or None where there is nothing."""
        return _numbers(self._estimates, name)

    def to_image(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return pixels in CaImAn's order as an image."""
        image = values.reshape(self.dims, order="F")
        return image.transpose(2, 0, 1) if image.ndim == 3 else image

    def components(self) -> Components:
        """Return everything about the components."""
        footprints = self._footprints()
        n_rois = int(footprints.shape[1])
        traces = self._traces(n_rois)
        try:
            return Components.build(
                footprints,
                self.image_shape,
                traces,
                scores=self._scores(n_rois),
                accepted=self._accepted(n_rois),
                background=self._background(traces["denoised"].shape[1]),
                frame_rate=self._frame_rate(),
            )
        except ParameterError as error:
            raise ReadError(f"{self._path}: {error} {_REMEDY}") from error

    def _dims(self, given: Sequence[int] | None) -> tuple[int, ...]:
        if given is not None:
            shape = tuple(int(size) for size in given)
            return (*shape[1:], shape[0]) if len(shape) == 3 else shape
        places = (
            (self._estimates, "dims"),
            (self._file, "dims"),
            (self._file, "params/data/dims"),
        )
        for group, name in places:
            dims = _numbers(group, name)
            if dims is not None and dims.ndim == 1 and dims.size in (2, 3):
                return tuple(int(size) for size in dims)
        raise ReadError(
            f"{self._path} does not say the size of its images; give it: "
            "image_shape=(height, width)."
        )

    def _footprints(self) -> Any:
        group = self._estimates.get("A")
        if not isinstance(group, h5py.Group):
            raise ReadError(
                f"{self._path} has no sparse matrix estimates/A, the footprints."
            )
        data, indices, indptr, shape = (
            read_whole(group[name]) for name in ("data", "indices", "indptr", "shape")
        )
        n_pixels, n_rois = (int(size) for size in shape)
        if n_pixels != self.n_pixels:
            raise ReadError(
                f"{self._path}: footprints have {n_pixels} pixels, but images of shape "
                f"{self.dims} have {self.n_pixels}. Give the right "
                "image_shape=(height, width)."
            )
        whole = (
            len(indptr) == n_rois + 1
            and indptr[0] == 0
            and (np.diff(indptr) >= 0).all()
            and indptr[-1] == len(indices) == len(data)
            and (len(indices) == 0 or 0 <= indices.min() <= indices.max() < n_pixels)
        )
        if not whole:
            raise ReadError(
                f"{self._path} is damaged: the parts of the sparse matrix estimates/A "
                "do not fit each other. Copy it again, or save it anew."
            )
        pixels = self._to_c_order(np.asarray(indices, np.int64))
        return sparse.csc_array(
            (np.asarray(data, np.float32), pixels, np.asarray(indptr, np.int64)),
            shape=(n_pixels, n_rois),
        )

    def _to_c_order(self, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return pixel numbers in C order of the image shape."""
        height, width = self.dims[:2]
        y, rest = pixels % height, pixels // height
        x, z = rest % width, rest // width
        return np.asarray((z * height + y) * width + x, np.int64)

    def _traces(self, n_rois: int) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        kinds = {"denoised": "C", "residual": "YrA", "spikes": "S", "dff": "F_dff"}
        for kind, name in kinds.items():
            values = self.array(name)
            if kind == "residual" and values is None:
                values = self.array("R")
            if values is not None and values.ndim == 2:
                found[kind] = values
        if "denoised" not in found:
            raise ReadError(f"{self._path} has no traces estimates/C.")
        expected = (n_rois, found["denoised"].shape[1])
        for kind, values in found.items():
            if values.shape != expected:
                raise ReadError(
                    f"{self._path}: estimates/{kinds[kind]} has shape {values.shape}, "
                    f"but there are {n_rois} footprints and {expected[1]} frames, so "
                    "traces and footprints can not be matched. Save it again in CaImAn."
                )
        if "residual" in found:
            found = {"raw": found["denoised"] + found["residual"], **found}
        return found

    def _scores(self, n_rois: int) -> pd.DataFrame:
        scores: dict[str, Any] = {"component": np.arange(n_rois)}
        for name, column in _SCORES.items():
            values = self.array(name)
            if values is not None and values.shape == (n_rois,):
                scores[column] = values.astype(float)
        return pd.DataFrame(scores, index=range(n_rois))

    def _accepted(self, n_rois: int) -> NDArray[np.bool_]:
        """Return who is accepted; indices that do not fit are of an earlier state."""
        good = self._indices("accepted_list", n_rois)
        bad = self._indices("rejected_list", n_rois)
        if good is None or not good.size:
            good = self._indices("idx_components", n_rois)
            bad = self._indices("idx_components_bad", n_rois)
        accepted = np.ones(n_rois, bool)
        if good is not None:
            if bad is not None and good.size + bad.size != n_rois:
                return accepted
            accepted[:] = False
            accepted[good] = True
        elif bad is not None:
            accepted[bad] = False
        return accepted

    def _indices(self, name: str, n_rois: int) -> NDArray[np.int64] | None:
        values = self.array(name)
        if values is None:
            return None
        values = values.ravel()
        if values.size and (values.min() < 0 or values.max() >= n_rois):
            return None
        return values.astype(np.int64)

    def _background(self, n_frames: int) -> Background | None:
        spatial, temporal = self.array("b"), self.array("f")
        if spatial is None or temporal is None or spatial.ndim != 2:
            return None
        n_modes = spatial.shape[1]
        if spatial.shape[0] != self.n_pixels or temporal.shape != (n_modes, n_frames):
            return None
        if n_modes == 0:
            return None
        images = np.stack([self.to_image(mode).ravel() for mode in spatial.T], axis=1)
        return Background(
            spatial=images.astype(np.float32),
            temporal=temporal.astype(np.float32),
            static=np.zeros(self.n_pixels, np.float32),
        )

    def _frame_rate(self) -> float | None:
        rate = _numbers(self._file, "params/data/fr")
        if rate is None or rate.size != 1:
            return None
        return float(rate.ravel()[0]) or None


def _numbers(group: h5py.Group, name: str) -> NDArray[Any] | None:
    """Return numbers, also those that were written as text; None if there are none."""
    if name not in group or not isinstance(group[name], h5py.Dataset):
        return None
    data = group[name]
    if data.dtype.kind in "biuf":
        return read_whole(data)
    if data.dtype.kind not in "SO" or data.size == 0:
        return None
    texts = np.ravel(np.asarray(read_whole(data), dtype=object))
    try:
        numbers = [float(t.decode() if isinstance(t, bytes) else t) for t in texts]
    except (ValueError, TypeError, UnicodeDecodeError):
        return None
    return np.array(numbers).reshape(data.shape)
