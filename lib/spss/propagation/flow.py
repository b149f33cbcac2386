"""Dense optical flow between neighbouring slices (DIS, Kroeger et al., ECCV 2016)."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spss.propagation.fields import Field, identity_field
from spss.propagation.registration import carry_along_fields
from spss.propagation.stack import Carried, DrawnSlice, Stack
from spss.propagation.threads import one_opencv_thread


@dataclass(frozen=True, kw_only=True)
class FlowPropagator:
    """Carries a drawn slice along dense inverse-search optical flow.

    Attributes:
        smallest_side: slices are enlarged until the geometric mean of their sides reaches this
            many pixels (whole factors, at most ``largest_factor``). Hippocampi of 35 x 49 pixels
            gain nothing by it (docs/research.md).
        largest_factor: bound of the enlargement.
        largest_side: larger slices are shrunk to this geometric mean of their sides: the fields
            are smooth, and a 512² slice costs as much as a 256² one.
        patch: side of DIS's patches in pixels; small ones follow thin structures.
        smoothness: weight of smoothness in the variational refinement, OpenCV's alpha. Half of
            its default 20 carries a little further (docs/research.md, "Smoother optical flow").
        threads: slice pairs registered at a time; each uses one OpenCV thread.
    """

    smallest_side: int = 40
    largest_factor: int = 4
    largest_side: int = 256
    patch: int = 4
    smoothness: float = 10.0
    threads: int = 1

    name = "flow"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        return carry_along_fields(stack, drawn, self.register)

    def register(self, stack: Stack, pairs: list[tuple[int, int]]) -> list[Field]:
        """Fields of ``(target, source)`` pairs of slices, see ``spss.propagation.fields``."""
        size = self._size(stack.shape[1], stack.shape[2])
        needed = sorted({index for pair in pairs for index in pair})
        pictures = {index: _picture(stack.slices[index], size) for index in needed}
        engines = threading.local()

        def one(pair: tuple[int, int]) -> Field:
            """One engine a thread: OpenCV's keeps its buffers and is not safe to share."""
            if not hasattr(engines, "dis"):
                engines.dis = self._engine()
            field = _flow(engines.dis, pictures[pair[0]], pictures[pair[1]])
            return _onto(field[: size[0], : size[1]], (stack.shape[1], stack.shape[2]))

        with one_opencv_thread():
            if self.threads <= 1 or len(pairs) < 4:
                return [one(pair) for pair in pairs]
            with ThreadPoolExecutor(self.threads) as pool:
                return list(pool.map(one, pairs))

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the pictures that are registered."""
        side = math.sqrt(height * width)
        factor = float(min(self.largest_factor, max(1, math.ceil(self.smallest_side / side))))
        if side > self.largest_side:
            factor = self.largest_side / side
        return max(1, round(height * factor)), max(1, round(width * factor))

    def _engine(self) -> cv2.DISOpticalFlow:
        """OpenCV's dense inverse search down to single pixels."""
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        dis.setFinestScale(0)
        dis.setPatchSize(self.patch)
        dis.setPatchStride(max(1, self.patch // 2))
        dis.setVariationalRefinementAlpha(self.smoothness)
        return dis


_LEAST_SIDE = 16
"""DIS needs at least a few patches a side; smaller slices are padded."""


def _picture(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.uint8]:
    """8-bit picture of a 0…1 slice with ``size`` rows and columns, padded to DIS's least size."""
    picture = np.rint(np.ascontiguousarray(values) * 255).astype(np.uint8)
    if picture.shape != size:
        how = cv2.INTER_AREA if size[0] < picture.shape[0] else cv2.INTER_CUBIC
        picture = np.asarray(cv2.resize(picture, size[::-1], interpolation=how), np.uint8)
    pad = [(0, max(0, _LEAST_SIDE - side)) for side in picture.shape]
    return np.pad(picture, pad, mode="edge") if any(after for _, after in pad) else picture


def _flow(dis: cv2.DISOpticalFlow, target: NDArray[np.uint8], source: NDArray[np.uint8]) -> Field:
    """Where the target's pixels lie in the source, in the pictures' pixels."""
    if np.array_equal(target, source):
        return identity_field(*target.shape)
    return np.asarray(dis.calc(target, source, None), np.float32)  # type: ignore[call-overload]


def _onto(field: Field, size: tuple[int, int]) -> Field:
    """A field on the slices' own pixels, in their unit."""
    if field.shape[:2] == size:
        return np.ascontiguousarray(field)
    scale = np.array([size[1] / field.shape[1], size[0] / field.shape[0]], np.float32)
    how = cv2.INTER_AREA if size[0] < field.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(field, size[::-1], interpolation=how) * scale, np.float32)
