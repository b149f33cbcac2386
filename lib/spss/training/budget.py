"""How long a training may last, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spss.errors import InputError

DEFAULT_ITERATIONS = 600
"""Some two minutes on one core for whole hippocampus volumes. Trainings that last much longer
learn the errors of propagated labels by heart."""


@dataclass
class Budget:
    """Iterations, or minutes of training (without preparation), whichever was asked for.

    Attributes:
        iterations: steps in all; None if minutes were asked for.
        minutes: of training in all, over all restarts; None if iterations were asked for.
        rounds: reports per training: log lines, checkpoints and progress for the server.
        iteration: steps done.
        seconds: spent in earlier runs of the same training.
        clock: seconds that count as minutes; ``time.process_time`` compares methods on a machine
            that is shared with others.
    """

    iterations: int | None = None
    minutes: float | None = None
    rounds: int = 50
    iteration: int = 0
    seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self.start()
        if self.iterations is not None and self.minutes is not None:
            raise InputError("Give either iterations or minutes, not both.")
        if self.iterations is None and self.minutes is None:
            self.iterations = DEFAULT_ITERATIONS
        if (self.iterations is not None and self.iterations < 1) or (
            self.minutes is not None and not self.minutes > 0
        ):
            asked = self.minutes if self.iterations is None else self.iterations
            msg = f"A training needs at least one iteration or some minutes, got {asked}."
            raise InputError(msg)

    def start(self) -> None:
        """The clock of this run starts here."""
        self._since = self.clock()

    @property
    def elapsed_seconds(self) -> float:
        """Of training, over all restarts."""
        return self.seconds + self.clock() - self._since

    @property
    def fraction(self) -> float:
        """Share done, 0…1."""
        if self.iterations is not None:
            return min(1.0, self.iteration / self.iterations)
        return min(1.0, self.elapsed_seconds / (60 * (self.minutes or 1.0)))

    @property
    def total_rounds(self) -> int:
        """Reports per training; never more than iterations."""
        return min(self.rounds, self.iterations or self.rounds)

    @property
    def round(self) -> int:
        """Rounds completed."""
        return int(self.fraction * self.total_rounds + 1e-9)

    @property
    def is_over(self) -> bool:
        """True when nothing is left."""
        return self.fraction >= 1.0

    def state_dict(self) -> dict[str, Any]:
        """What a restart needs."""
        return {"iteration": self.iteration, "seconds": self.elapsed_seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned; the clock starts anew."""
        self.iteration = int(state["iteration"])
        self.seconds = float(state["seconds"])
        self.start()
