"""Which shifts are to be expected: most small, some jump anywhere; learned from frames.

In a noisy frame the best match may be one that noise made, anywhere in the search
range. What the recording's clear frames say about how far it moves decides how much
better a far match must be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

_SPREADS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # px
_SHARES = (0.003, 0.01, 0.03, 0.1, 0.3)
_IMAGINED = 8.0  # px: one frame that moved so far is added, so that few prove little

Float = NDArray[np.float64]


@dataclass(frozen=True)
class ShiftPrior:
    """A bell of small shifts around a centre, and jumps to anywhere in the range.

    Attributes
    ----------
    centre : tuple of float
        (y, x), px.
    spread : float
        Standard deviation of the bell, px.
    jumps : float
        Share of frames that may be anywhere.
    """

    centre: tuple[float, float] = (0.0, 0.0)
    spread: float = 8.0
    jumps: float = 0.1

    def log(self, reach: Sequence[int], binning: int) -> Float:
        """Return the log probability (2 ry + 1, 2 rx + 1) of each binned shift."""
        bells = []
        for limit, middle in zip(reach, self.centre, strict=True):
            away = binning * np.arange(-limit, limit + 1) - middle
            # a binned shift stands for all within it
            variance = self.spread**2 + binning**2 / 12
            bells.append(np.exp(-0.5 * away**2 / variance))
        bell = np.multiply.outer(*bells)
        bell /= max(float(bell.sum()), 1e-300)
        log: Float = np.log((1 - self.jumps) * bell + self.jumps / bell.size + 1e-300)
        return log

    def arrays(self) -> NDArray[np.float64]:
        """Return the numbers that :meth:`of_array` needs."""
        return np.array([*self.centre, self.spread, self.jumps])

    @classmethod
    def of_array(cls, values: NDArray[np.float64]) -> Self:
        """Return the prior of what :meth:`arrays` gave."""
        y, x, spread, jumps = (float(value) for value in values)
        return cls((y, x), spread, jumps)

    @classmethod
    def learn(
        cls,
        evidence: NDArray[np.float32],
        binning: int,
        centre: tuple[float, float] = (0.0, 0.0),
    ) -> Self:
        """Return the prior under which some frames' evidence is most likely.

        Parameters
        ----------
        evidence : numpy.ndarray
            Shape (n_frames, 2 ry + 1, 2 rx + 1): log likelihood of each binned shift.
        binning : int
            Pixels a binned shift.
        centre : tuple of float
            (y, x), px, that the shifts scatter around.
        """
        reach = [(size - 1) // 2 for size in evidence.shape[1:]]
        best = evidence.max(axis=(1, 2), keepdims=True)
        likelihood = np.exp(evidence - best).reshape(len(evidence), -1)
        whole = likelihood.mean(axis=1, dtype=np.float64)
        anywhere = np.append(whole, 1 / likelihood.shape[1])
        found, most = cls(centre), -np.inf
        for spread in _SPREADS:
            bell = np.exp(cls(centre, spread, 0.0).log(reach, binning)).ravel()
            near = np.append(
                likelihood @ bell.astype(np.float32), bell.max() * _fall(spread)
            )
            for share in _SHARES:
                total = np.log((1 - share) * near + share * anywhere + 1e-300).sum()
                if total > most:
                    found, most = cls(centre, spread, share), float(total)
        return found


def _fall(spread: float) -> float:
    """Return the bell's height at the imagined frame, in that of its middle."""
    return float(np.exp(-0.5 * (_IMAGINED / spread) ** 2))


ANY_SHIFT = ShiftPrior()  # before anything is known
