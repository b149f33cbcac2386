"""Endless batches: which volumes come next, and a seed for each patch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from spss.methods import Batch
from spss.training.case import PreparedCase
from spss.training.patches import PatchCutter
from spss.training.sampler import ShuffledStream

_SEEDS = 2**62


class BatchLoader:
    """Iterable of batches; its state: a generator, two queues, a count and the renewed labels.

    Several processes draw the same volumes and patch seeds, and each cuts its own share of them:
    together they see exactly the batch that one process would see.

    Args:
        cases: prepared volumes.
        cutter: makes a patch from a volume and a seed.
        composition: returns the labelled and unlabelled patches of the next batch of a process;
            where every volume has a label, labelled ones take the unlabelled ones' place.
        seed: of everything random here.
        rank: of this process.
        processes: that train together.
    """

    def __init__(
        self,
        cases: list[PreparedCase],
        cutter: PatchCutter,
        *,
        composition: Callable[[], tuple[int, int]],
        seed: int,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.cases = cases
        self.cutter = cutter
        self.composition = composition
        self.rank = rank
        self.processes = processes
        self._random = torch.Generator().manual_seed(seed)
        labelled = [index for index, case in enumerate(cases) if case.is_labelled]
        unlabelled = [index for index, case in enumerate(cases) if not case.is_labelled]
        self._labelled = ShuffledStream(labelled, self._random)
        self._unlabelled = ShuffledStream(unlabelled, self._random)
        self._renewed: dict[str, Tensor] = {}
        self._drawn = 0
        self._labelled_count = len(labelled)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.next_batch()

    def next_batch(self) -> Batch:
        """This process's share of the next batch, labelled patches first."""
        labelled, unlabelled = self.composition()
        counts = (labelled, unlabelled) if self._unlabelled else (labelled + unlabelled, 0)
        passes = self._drawn / max(self._labelled_count, 1)
        self._drawn += counts[0] * self.processes
        chosen: list[tuple[int, int]] = []
        for stream, count in zip((self._labelled, self._unlabelled), counts, strict=True):
            indices = stream.take(count * self.processes)
            seeds = torch.randint(_SEEDS, (len(indices),), generator=self._random).tolist()
            chosen += list(zip(indices, seeds, strict=True))[self.rank :: self.processes]
        patches = [self.cutter.cut(self.cases[index], seed) for index, seed in chosen]
        stacked = {key: torch.stack([patch[key] for patch in patches]) for key in patches[0]}
        names = tuple(self.cases[index].name for index, _ in chosen)
        return Batch(names=names, spacing_mm=self.cutter.plan.spacing_mm, passes=passes, **stacked)

    @property
    def labelled(self) -> list[PreparedCase]:
        """Volumes with an annotation."""
        return [case for case in self.cases if case.is_labelled]

    def renew_labels(self, soft: Mapping[str, Tensor]) -> None:
        """Patches to come get these soft maps, by the volume's name; see `PreparedCase`."""
        self._renewed |= soft
        self.cases = [
            replace(case, soft=soft[case.name]) if case.name in soft else case
            for case in self.cases
        ]

    def state_dict(self) -> dict[str, Any]:
        """Generator, queues, count and renewed labels."""
        return {
            "renewed": dict(self._renewed),
            "random": self._random.get_state(),
            "drawn": self._drawn,
            "labelled": self._labelled.state_dict(),
            "unlabelled": self._unlabelled.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self._random.set_state(state["random"].cpu())
        self._drawn = int(state["drawn"])
        self.renew_labels({name: soft.cpu() for name, soft in state["renewed"].items()})
        self._labelled.load_state_dict(state["labelled"])
        self._unlabelled.load_state_dict(state["unlabelled"])
