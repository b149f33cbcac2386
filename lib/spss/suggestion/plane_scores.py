"""What a prediction says of every plane of a volume: small tables, never voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spss.errors import InputError
from spss.types import Shape

DECIMALS = 4


@dataclass(frozen=True)
class AxisScores:
    """One number a plane, for the planes of one axis; all arrays are ``(planes,)``.

    Attributes:
        score: float32, expected error and disagreement; `self_paced` ranks by the ``gain`` in it.
        entropy: float32 in [0, 1], mean entropy in and around the plane's least certain class.
        least_certain: uint8, that class; 0 where nothing is predicted on the plane.
        disagreement: float32 in [0, 1], share of the foreground of draft and prediction on which
            the two differ; 0 without a draft.
        untrusted: float32 in [0, 1], share of the foreground and its surroundings that self-paced
            selection would not let the student learn from.
        expected_error: float32 in [0, 1], 1 - Dice of the plane as the entropy foretells it.
        gain: float32 in [0, 2], error of the whole volume that drawing the plane could mend, see
            `expected_gain`.
        contour_mm: float32, length of the predicted contours: what drawing the plane costs.
    """

    score: NDArray[np.float32]
    entropy: NDArray[np.float32]
    least_certain: NDArray[np.uint8]
    disagreement: NDArray[np.float32]
    untrusted: NDArray[np.float32]
    expected_error: NDArray[np.float32]
    gain: NDArray[np.float32]
    contour_mm: NDArray[np.float32]


@dataclass(frozen=True)
class PlaneScores:
    """Scores of every plane of one volume, by voxel axis 0, 1, 2."""

    axes: tuple[AxisScores, AxisScores, AxisScores]

    def best(self) -> float:
        """The volume's largest score along any axis."""
        return max(float(scores.score.max(initial=0.0)) for scores in self.axes)

    def fits(self, shape: Shape) -> bool:
        """True if the tables are of a volume of this shape: the image may have been replaced."""
        return tuple(len(scores.score) for scores in self.axes) == tuple(shape)

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads: axis → name → list."""
        return {
            str(axis): {
                name: np.round(getattr(scores, name).astype(float), DECIMALS).tolist()
                for name in AxisScores.__dataclass_fields__
            }
            for axis, scores in enumerate(self.axes)
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PlaneScores:
        """Raises InputError if ``data`` is not what `to_json` wrote."""
        try:
            first, second, third = (_axis_from_json(data[str(axis)]) for axis in range(3))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            msg = f"Not a table of plane scores ({error!r}): delete it and it is computed anew."
            raise InputError(msg) from error
        return cls((first, second, third))


def _axis_from_json(data: Mapping[str, Any]) -> AxisScores:
    """Arrays of one axis; a file whose arrays differ in length is refused."""
    arrays: dict[str, NDArray[Any]] = {
        name: np.asarray(data[name], np.uint8 if name == "least_certain" else np.float32)
        for name in AxisScores.__dataclass_fields__
    }
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1:
        msg = f"arrays of different lengths {sorted(shapes)}"
        raise ValueError(msg)
    return AxisScores(**arrays)
