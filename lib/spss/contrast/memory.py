"""How much memory the two forms of the contrastive loss need, forward and backward."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from spss.contrast.bidirectional import bidirectional_contrast
from spss.contrast.dense import dense_bidirectional_contrast


def contrast_memory_mb(
    *, voxels: int = 7840, channels: int = 64, class_count: int = 2, negative_count: int = 50
) -> dict[str, float]:
    """Peak MiB of tensors alive during one loss and its gradient, inputs not counted.

    7,840 voxels and 64 channels are SPSS's own grid: four volumes of 14 x 14 x 10.

    Returns:
        ``{"linear": …, "dense": …}`` of the same inputs.
    """
    forms: dict[str, Callable[..., Tensor]] = {
        "linear": bidirectional_contrast,
        "dense": dense_bidirectional_contrast,
    }
    return {
        name: _peak_mb(form, voxels, channels, class_count, negative_count)
        for name, form in forms.items()
    }


def _peak_mb(
    form: Callable[..., Tensor], voxels: int, channels: int, class_count: int, negative_count: int
) -> float:
    """Of one forward and backward pass on random embeddings, in MiB."""
    generator = torch.Generator().manual_seed(0)
    views = [
        torch.randn(1, channels, voxels, generator=generator).requires_grad_() for _ in range(3)
    ]
    classes = torch.randint(0, class_count, (1, voxels), generator=generator)
    probabilities = torch.randn(1, class_count, voxels, generator=generator).softmax(1)
    with LiveBytes() as live:
        loss = form(
            *views,
            anchor_classes=classes,
            pool_probabilities=probabilities,
            negative_count=negative_count,
        )
        loss.backward()
    return live.peak / 2**20


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of storages that were created inside and are still alive.

    Attributes:
        current: bytes alive now.
        peak: most bytes alive at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.current = 0
        self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        given = {
            value.untyped_storage()._cdata for value in args if isinstance(value, torch.Tensor)
        }
        result = func(*args, **(kwargs or {}))
        results = result if isinstance(result, tuple | list) else (result,)
        for value in results:
            if isinstance(value, torch.Tensor):
                self._count(value, given)
        return result

    def _count(self, value: Tensor, given: set[int]) -> None:
        """Counts a storage once, until it is freed; views share theirs."""
        storage = value.untyped_storage()
        key = storage._cdata
        if key in self._known or key in given:
            return
        size = storage.nbytes()
        self._known.add(key)
        self.current += size
        self.peak = max(self.peak, self.current)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.current -= size
