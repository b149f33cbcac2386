"""Shape and dtype aliases used in every signature of the library.

Arrays are indexed ``(I, J, K)``: the voxel axes of the stored image, in the order of the file.
Physical quantities carry their unit in their name (``spacing_mm``); directions say RAS or LPS.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

ImageArray: TypeAlias = NDArray[np.float32]
"""``(I, J, K)`` float32 intensities."""

ClassMap: TypeAlias = NDArray[np.uint8]
"""``(I, J, K)`` uint8 class indices, 0 = background, ``UNDECIDED`` = nobody looked."""

Mask: TypeAlias = NDArray[np.bool_]
"""``(I, J, K)`` bool."""

Probabilities: TypeAlias = NDArray[np.float32]
"""``(C, I, J, K)`` float32, sums to one over C; class 0 is background."""

ScalarMap: TypeAlias = NDArray[np.float32]
"""``(I, J, K)`` float32, one number per voxel (reliability, uncertainty, weight)."""

Affine: TypeAlias = NDArray[np.float64]
"""``(4, 4)`` float64, voxel index to RAS millimetres (nibabel's convention)."""

Shape: TypeAlias = tuple[int, int, int]

SpacingMm: TypeAlias = tuple[float, float, float]
"""Distance in millimetres between neighbouring voxels along each voxel axis."""

UNDECIDED = 255
"""Value of a voxel nobody decided, in class maps that mix decided and undecided voxels."""

MAX_CLASSES = 255
"""Classes including background that fit a uint8 map beside ``UNDECIDED``; also OHIF's limit."""
