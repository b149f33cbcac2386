"""Which volumes come next: shuffled streams that never starve a volume and survive a restart."""

from __future__ import annotations

from typing import Any

import torch


class ShuffledStream:
    """Endless indices; every index comes once before any comes again.

    Args:
        indices: what to draw from; may be empty.
        generator: source of the shuffles; shared with others, saved by its owner.
    """

    def __init__(self, indices: list[int], generator: torch.Generator) -> None:
        self._indices = indices
        self._generator = generator
        self._queue: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._indices)

    def take(self, count: int) -> list[int]:
        """The next ``count`` indices; none if there is nothing to draw from."""
        if not self._indices:
            return []
        while len(self._queue) < count:
            order = torch.randperm(len(self._indices), generator=self._generator).tolist()
            self._queue.extend(self._indices[place] for place in order)
        taken, self._queue = self._queue[:count], self._queue[count:]
        return taken

    def state_dict(self) -> dict[str, Any]:
        """The indices already shuffled but not yet drawn."""
        return {"queue": list(self._queue)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self._queue = list(state["queue"])
