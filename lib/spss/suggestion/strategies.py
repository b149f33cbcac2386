"""The ways to choose the next planes. Each gives planes of different volumes, best first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spss.suggestion.cohort import Cohort
from spss.suggestion.positions import first, foreground_random, random, strided
from spss.suggestion.self_paced import entropy, self_paced
from spss.suggestion.suggestion import Suggestion

Strategy = Callable[[Cohort, int, np.random.Generator], list[Suggestion]]

STRATEGIES: dict[str, Strategy] = {
    "strided": strided,
    "self_paced": self_paced,
    "entropy": entropy,
    "foreground_random": foreground_random,
    "random": random,
    "first": first,
}
"""Name → strategy, the default first."""

DEFAULT_STRATEGY = next(iter(STRATEGIES))
"""The simplest of those that simulated annotation could not tell from the best
(``docs/benchmarks.md``, Suggestion)."""


def list_strategies() -> tuple[str, ...]:
    """The names `suggest` takes, the default first."""
    return tuple(STRATEGIES)
