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
            many pixels (whole factors, at most ``largest_factor``): flow patches of 8 pixels
            cannot see structures of 10 pixels.
        largest_factor: bound of the enlargement.
        patch: side of DIS's patches in pixels; small ones follow thin structures.
        threads: slice pairs registered at a time; each uses one OpenCV thread.
    """

    smallest_side: int = 84
    largest_factor: int = 4
    patch: int = 4
    threads: int = 1

    name = "flow"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        return carry_along_fields(stack, drawn, self.register)

    def register(self, stack: Stack, pairs: list[tuple[int, int]]) -> list[Field]:
        """Fields of ``(target, source)`` pairs of slices, see ``spss.propagation.fields``."""
        factor = self._factor(stack.shape[1], stack.shape[2])
        needed = sorted({index for pair in pairs for index in pair})
        pictures = {index: _picture(stack.slices[index], factor) for index in needed}
        engines = threading.local()

        def one(pair: tuple[int, int]) -> Field:
            if not hasattr(engines, "dis"):
                engines.dis = self._engine()
            size = (stack.shape[1], stack.shape[2])
            return _flow(engines.dis, pictures[pair[0]], pictures[pair[1]], size, factor)

        with one_opencv_thread():
            if self.threads <= 1 or len(pairs) < 4:
                return [one(pair) for pair in pairs]
            with ThreadPoolExecutor(self.threads) as pool:
                return list(pool.map(one, pairs))

    def _factor(self, height: int, width: int) -> int:
        wanted = math.ceil(self.smallest_side / math.sqrt(height * width))
        return min(self.largest_factor, max(1, wanted))

    def _engine(self) -> cv2.DISOpticalFlow:
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        dis.setFinestScale(0)
        dis.setPatchSize(self.patch)
        dis.setPatchStride(max(1, self.patch // 2))
        return dis


_LEAST_SIDE = 16
"""DIS needs at least a few patches a side; smaller slices are padded."""


def _picture(values: NDArray[np.float32], factor: int) -> NDArray[np.uint8]:
    """8-bit picture of a 0…1 slice, enlarged, padded to DIS's least size."""
    picture = np.rint(np.ascontiguousarray(values) * 255).astype(np.uint8)
    if factor > 1:
        size = (picture.shape[1] * factor, picture.shape[0] * factor)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC))
    pad = [(0, max(0, _LEAST_SIDE - side)) for side in picture.shape]
    return np.pad(picture, pad, mode="edge") if any(after for _, after in pad) else picture


def _flow(
    dis: cv2.DISOpticalFlow,
    target: NDArray[np.uint8],
    source: NDArray[np.uint8],
    size: tuple[int, int],
    factor: int,
) -> Field:
    """Flow on the enlarged pictures, brought back to the ``(H, W)`` pixels of the slices."""
    height, width = size
    if np.array_equal(target, source):
        return identity_field(height, width)
    field = np.asarray(dis.calc(target, source, None))  # type: ignore[call-overload]
    field = field[: height * factor, : width * factor]
    if factor > 1:
        field = np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_AREA))
    return np.ascontiguousarray(field / factor, np.float32)
