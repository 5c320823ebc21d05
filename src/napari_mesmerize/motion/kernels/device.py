"""Where the heavy steps of the motion correction run: this processor, or PyTorch.

On the processor they are compiled loops over NumPy arrays. With PyTorch, frames are
moved to its device once; the functions that loop over pixels tell by the type of the
frames which implementation to use, and return what is small as NumPy arrays. Nothing
but :mod:`napari_mesmerize.motion.kernels.torch_loops` imports PyTorch.
"""

import importlib.util
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mesmerize.errors import ParameterError

_ON_PROCESSOR = "torch-cpu"  # PyTorch without a graphics card, to compare


@dataclass(frozen=True)
class Device:
    """A place for frames.

    Attributes
    ----------
    name : str
        PyTorch's name of it, such as ``"cuda"``; empty: NumPy and compiled loops.
    """

    name: str = ""

    def put(self, frames: NDArray[np.float32]) -> Any:
        """Return frames where they are computed on."""
        if not self.name:
            return frames
        from napari_mesmerize.motion.kernels import torch_loops

        return torch_loops.put(frames, self.name)


CPU = Device()


def is_numpy(frames: Any) -> bool:
    """Tell whether frames lie in this process' memory as a NumPy array."""
    return isinstance(frames, np.ndarray)


def to_numpy(frames: Any) -> NDArray[np.float32]:
    """Return frames of another device as a NumPy array."""
    array: NDArray[np.float32] = frames.cpu().numpy()
    return array


def choose_device(name: str) -> Device:
    """Return the device of a name.

    Parameters
    ----------
    name : {"cpu", "cuda", "cuda:0", ..., "torch-cpu"}
        ``"torch-cpu"`` runs PyTorch on the processor.

    Raises
    ------
    ParameterError
        If it is unknown, PyTorch is not installed, or there is no such card.
    """
    if name == "cpu":
        return CPU
    kind, _, number = name.partition(":")
    if name != _ON_PROCESSOR and (kind != "cuda" or (number and not number.isdigit())):
        raise ParameterError(
            f"device={name!r} is unknown; use 'cpu', 'cuda' or 'cuda:1' (a graphics "
            "card of NVIDIA, with PyTorch)."
        )
    if importlib.util.find_spec("torch") is None:
        raise ParameterError(
            f"device={name!r} needs PyTorch, which is not installed: pip install "
            "'napari-mesmerize[gpu]'. Or leave device='cpu'."
        )
    if name == _ON_PROCESSOR:
        return Device("cpu")
    from napari_mesmerize.motion.kernels import torch_loops

    found = torch_loops.count_cards()
    if int(number or 0) >= found:
        raise ParameterError(
            f"device={name!r}: PyTorch finds {found} CUDA cards here. Check the driver "
            "with nvidia-smi and that PyTorch was installed with CUDA, or leave "
            "device='cpu'."
        )
    return Device(name)
