"""What happens beside the steps: bar, curves, log lines, checkpoints, reports to a server."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ignite.engine import Events
from tqdm import tqdm

from spss.training.engine import RoundEvents, SparseTrainer


class StepMeans:
    """Means of a step's numbers since they were last asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)

    def attach(self, engine: SparseTrainer) -> None:
        """Counts every step."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)

    def take(self) -> dict[str, float]:
        """The means, sorted by name; starts anew."""
        means = {name: self._sums[name] / self._counts[name] for name in sorted(self._sums)}
        self._sums.clear()
        self._counts.clear()
        return means

    def _add(self, engine: SparseTrainer) -> None:
        for name, value in engine.state.output.items():
            if math.isfinite(value):
                self._sums[name] += value
                self._counts[name] += 1


class ProgressBar:
    """One bar on the terminal, in iterations or in seconds, whichever the budget counts."""

    def __init__(self, *, show: bool = True) -> None:
        self._show = show
        self._bar: Any = None

    def attach(self, engine: SparseTrainer) -> None:
        """Opens with the run and closes with it, also when it fails."""
        engine.add_event_handler(Events.STARTED, self._open)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._move)
        engine.add_event_handler(Events.COMPLETED, self.close)
        engine.add_event_handler(Events.TERMINATE, self.close)

    def close(self) -> None:
        """Closes the bar if it is open."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _open(self, engine: SparseTrainer) -> None:
        """Counts steps where iterations were asked for, else seconds."""
        budget = engine.training.budget
        total = budget.iterations or round(60 * (budget.minutes or 0))
        unit = "step" if budget.iterations else "s"
        self._bar = tqdm(
            total=total,
            initial=round(budget.fraction * total),
            unit=unit,
            desc=f"Training {engine.training.method.name}",
            disable=not self._show,
            dynamic_ncols=True,
        )

    def _move(self, engine: SparseTrainer) -> None:
        """To the share of the budget that is spent."""
        if self._bar is None:
            return
        self._bar.update(round(engine.training.budget.fraction * self._bar.total) - self._bar.n)
        if "loss" in engine.state.output:
            self._bar.set_postfix(loss=f"{engine.state.output['loss']:.3f}", refresh=False)


class RoundReport:
    """After each round: a line in ``log.jsonl``, points in TensorBoard, a call to the server.

    Args:
        folder: where ``log.jsonl`` and the event file go.
        on_progress: called with ``epoch``, ``total_epochs``, ``best_metric`` and the numbers.
        validate: returns a score in 0…1 of the present teacher, or None if there is nothing to
            validate on.
        keep: called after each round to save a checkpoint.
    """

    def __init__(
        self,
        folder: Path,
        *,
        on_progress: Callable[[dict[str, Any]], None] | None,
        validate: Callable[[], float | None],
        keep: Callable[[], None],
    ) -> None:
        # imported here: TensorBoard takes seconds, and only a training needs it
        from torch.utils.tensorboard import SummaryWriter

        self.best_metric: float | None = None
        self._log = folder / "log.jsonl"
        self._writer = SummaryWriter(str(folder / "tensorboard"))
        self._on_progress = on_progress
        self._validate = validate
        self._keep = keep
        self._means = StepMeans()

    def attach(self, engine: SparseTrainer) -> None:
        """Reports round 0 at the start, then every round."""
        self._means.attach(engine)
        engine.add_event_handler(Events.STARTED, self._announce)
        engine.add_event_handler(RoundEvents.ROUND_COMPLETED, self._report)
        engine.add_event_handler(RoundEvents.STEP_REFUSED, self._report_refused)

    def close(self) -> None:
        """Flushes TensorBoard's file."""
        self._writer.close()

    def write(self, **entry: Any) -> None:
        """One line in the log, with the time."""
        line = json.dumps({"time": round(time.time(), 3), **entry}, ensure_ascii=False)
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _announce(self, engine: SparseTrainer) -> None:
        self._tell(engine, {})

    def _report(self, engine: SparseTrainer) -> None:
        """One round: means of its numbers to log, TensorBoard and whoever listens; a checkpoint."""
        budget = engine.training.budget
        numbers = self._means.take()
        numbers["learning_rate"] = engine.training.optimiser.param_groups[0]["lr"]
        metric = self._validate()
        if metric is not None:
            numbers["validation_dice"] = metric
            self.best_metric = max(metric, self.best_metric or 0.0)
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, budget.iteration)
        self.write(
            event="round",
            epoch=budget.round,
            total_epochs=budget.total_rounds,
            iteration=budget.iteration,
            seconds=round(budget.elapsed_seconds, 2),
            **{name: round(value, 6) for name, value in numbers.items()},
        )
        self._keep()
        self._tell(engine, numbers)

    def _report_refused(self, engine: SparseTrainer) -> None:
        """Names the images of a step that was not taken, so that a bad file can be found."""
        self.write(
            event="step_refused",
            iteration=engine.training.budget.iteration,
            reason="the loss or its gradient is not a finite number",
            images=list(engine.state.refused_names),
        )

    def _tell(self, engine: SparseTrainer, numbers: dict[str, float]) -> None:
        """In the words that MONAI Label's progress bars read."""
        if self._on_progress is None:
            return
        budget = engine.training.budget
        self._on_progress(
            {
                "epoch": budget.round,
                "total_epochs": budget.total_rounds,
                "best_metric": self.best_metric or 0.0,
                "iteration": budget.iteration,
                "seconds": budget.elapsed_seconds,
                **numbers,
            }
        )
