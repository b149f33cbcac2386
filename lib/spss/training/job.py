"""One training: prepared volumes, settings, and the run that turns them into a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch

from spss.methods import find_method
from spss.training.budget import Budget
from spss.training.case import PreparedCase
from spss.training.checkpoint import Occasionally, restore, save_checkpoint
from spss.training.distributed import (
    is_first,
    of_first,
    tensors_from_first,
)
from spss.training.engine import RoundEvents, SparseTrainer, TrainingState
from spss.training.handlers import ProgressBar, RoundReport
from spss.training.loader import BatchLoader
from spss.training.model_file import ModelConfig, save_model
from spss.training.optimiser import make_optimiser
from spss.training.options import TrainingOptions, TrainingResult
from spss.training.patches import PatchCutter
from spss.training.prepare import Preparation
from spss.training.settings import TrainingSettings
from spss.training.teacher import make_teacher
from spss.training.temperature import fit_temperature
from spss.training.validation import validation_dice

CHECKPOINT = "checkpoint.pt"
STOP_FILE = "stop"

_RANK_SEEDS = 100_003
"""Distance between the noise seeds of processes that train together."""


@dataclass
class Job:
    """Prepared data and settings of one training.

    Attributes:
        settings: plan, classes and constants.
        preparation: the training volumes.
        validation: held-out volumes.
        options: see `TrainingOptions`.
        device: where to train.
        out: folder of the results.
        checkpoint: content of the checkpoint to go on from, or None.
    """

    settings: TrainingSettings
    preparation: Preparation
    validation: list[PreparedCase]
    options: TrainingOptions
    device: torch.device
    out: Path
    checkpoint: dict[str, Any] | None

    def run(
        self,
        budget: Budget,
        on_progress: Callable[[dict[str, Any]], None] | None,
        should_stop: Callable[[], bool],
    ) -> TrainingResult:
        """Trains until the budget is spent or somebody stops it, and saves the model."""
        training = self._state(budget)
        loader = self._loader(training)
        if self.checkpoint is not None:
            restore(self.checkpoint, training, loader)
            if not is_first():  # the file holds the first process's noise
                training.generator.manual_seed(_RANK_SEEDS * idist.get_rank() + budget.iteration)
        stop_file = self.out / STOP_FILE
        stop_file.unlink(missing_ok=True)
        engine = SparseTrainer(
            training,
            loader,
            device=self.device,
            should_stop=lambda: should_stop() or stop_file.exists(),
        )
        engine.add_event_handler(
            RoundEvents.ROUND_COMPLETED, lambda: self._renew_labels(training, loader)
        )
        if not is_first():
            self._iterate(engine)
            return self._result(training, None)
        report = RoundReport(
            self.out,
            on_progress=on_progress,
            validate=lambda: self._validate(training),
            keep=Occasionally(lambda: self._keep(training, loader)),
        )
        self._log_start(report, training)
        report.attach(engine)
        self._iterate(engine)
        report.write(event="end", iteration=budget.iteration, finished=budget.is_over)
        report.close()
        self._save(training, loader, report.best_metric)
        return self._result(training, report.best_metric)

    def _iterate(self, engine: SparseTrainer) -> None:
        """Runs the engine under a bar; a finished training that is resumed has nothing to run."""
        if engine.training.budget.is_over:
            return
        bar = ProgressBar(show=self.options.show_progress and is_first())
        bar.attach(engine)
        engine.training.budget.start()
        try:
            engine.run()
        finally:
            bar.close()

    def _state(self, budget: Budget) -> TrainingState:
        """Networks, optimiser and noise as they are before the first step."""
        student = self.settings.make_network(self.device)
        if self.settings.acceleration.channels_last:
            student = student.to(memory_format=torch.channels_last_3d)
        method = self.settings.make_method(self.device)
        return TrainingState(
            student=student,
            teacher=make_teacher(student),
            method=method,
            optimiser=make_optimiser(
                [*student.parameters(), *method.parameters()], self.options.learning_rate
            ),
            budget=budget,
            generator=torch.Generator(self.device).manual_seed(
                self.settings.seed + 2 + _RANK_SEEDS * idist.get_rank()
            ),
            acceleration=self.settings.acceleration,
            learning_rate=self.options.learning_rate,
        )

    def _loader(self, training: TrainingState) -> BatchLoader:
        """Batches whose composition the method decides anew as the training goes on."""
        plan, method, budget = self.settings.plan, training.method, training.budget
        return BatchLoader(
            self.preparation.cases,
            PatchCutter(plan, len(self.settings.classes), self.device, self.options.augmentation),
            composition=lambda: method.composition(
                of_first(budget.fraction, self.device), plan.batch_size
            ),
            seed=self.settings.seed,
            rank=idist.get_rank(),
            processes=idist.get_world_size(),
        )

    def _renew_labels(self, training: TrainingState, loader: BatchLoader) -> None:
        """Takes over what the method has learned of the labelled volumes, if it has."""
        loader.renew_labels(
            tensors_from_first(
                lambda: training.method.renew_labels(
                    loader.labelled, self.settings.plan.spacing_mm, training.budget.fraction
                )
            )
        )

    def _validate(self, training: TrainingState) -> float | None:
        """Of the teacher, on the voxels that were annotated; None without held-out volumes."""
        return validation_dice(
            training.teacher,
            self.validation,
            self.settings.plan,
            class_count=len(self.settings.classes),
            acceleration=self.settings.acceleration,
            device=self.device,
        )

    def _temperature(self, training: TrainingState) -> float | None:
        """None if too little was held out to say how sure the network may be."""
        return fit_temperature(
            training.teacher,
            self.validation,
            self.settings.plan,
            acceleration=self.settings.acceleration,
            device=self.device,
        )

    def _keep(self, training: TrainingState, loader: BatchLoader) -> None:
        save_checkpoint(self.out / CHECKPOINT, training, loader, self.settings.to_json())

    def _log_start(self, report: RoundReport, training: TrainingState) -> None:
        """All that is needed to say later how the model came about."""
        report.write(
            event="start",
            iteration=training.budget.iteration,
            settings=self.settings.to_json(),
            plan=self.settings.plan.in_words(),
            volumes=len(self.preparation.cases),
            labelled=sum(case.is_labelled for case in self.preparation.cases),
            skipped=self.preparation.skipped,
            unpropagated=self.preparation.unpropagated,
            absent_classes=list(self.settings.absent_classes),
        )

    def _save(
        self, training: TrainingState, loader: BatchLoader, best_metric: float | None
    ) -> None:
        """The last checkpoint, and the model with what there is to know about it."""
        budget, settings = training.budget, self.settings
        self._keep(training, loader)
        facts = {
            "method": settings.method,
            "method_config": settings.method_config,
            "embedding_channels": find_method(settings.method).embedding_channels,
            "seed": settings.seed,
            "iterations": budget.iteration,
            "seconds": round(budget.elapsed_seconds, 1),
            "finished": budget.is_over,
            "precision": settings.acceleration.precision,
            "best_metric": best_metric,
            "temperature": self._temperature(training),
            "absent_classes": list(settings.absent_classes),
            "skipped": self.preparation.skipped,
        }
        config = ModelConfig(settings.class_names, settings.classes, settings.plan, facts)
        save_model(self.out, config, training.teacher)

    def _result(self, training: TrainingState, best_metric: float | None) -> TrainingResult:
        """What the caller is told."""
        return TrainingResult(
            folder=self.out,
            plan=self.settings.plan,
            iterations=training.budget.iteration,
            seconds=training.budget.elapsed_seconds,
            finished=training.budget.is_over,
            best_metric=best_metric,
            skipped=self.preparation.skipped,
            unpropagated=self.preparation.unpropagated,
            absent_classes=self.settings.absent_classes,
            refused=training.refused,
        )
