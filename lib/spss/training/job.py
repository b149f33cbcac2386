"""One training: prepared volumes, settings, and the run that turns them into a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from spss.errors import InputError
from spss.methods import find_method
from spss.training.budget import Budget
from spss.training.case import PreparedCase, TrainingCase
from spss.training.checkpoint import read_checkpoint, restore, save_checkpoint
from spss.training.engine import SparseTrainer, TrainingState
from spss.training.handlers import ProgressBar, RoundReport
from spss.training.loader import BatchLoader
from spss.training.model_file import ModelConfig, save_model
from spss.training.optimiser import make_optimiser
from spss.training.options import TrainingOptions, TrainingResult, pick_device
from spss.training.prepare import Preparation, prepare_cases
from spss.training.settings import TrainingSettings, check_same, decide
from spss.training.teacher import make_teacher
from spss.training.validation import validation_dice

CHECKPOINT = "checkpoint.pt"
STOP_FILE = "stop"


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
        stop_file = self.out / STOP_FILE
        stop_file.unlink(missing_ok=True)
        report = RoundReport(
            self.out,
            on_progress=on_progress,
            validate=lambda: self._validate(training),
            keep=lambda: self._keep(training, loader),
        )
        self._log_start(report, training)
        if not budget.is_over:
            self._iterate(training, loader, report, lambda: should_stop() or stop_file.exists())
        report.write(event="end", iteration=budget.iteration, finished=budget.is_over)
        report.close()
        return self._finish(training, loader, report.best_metric)

    def _iterate(
        self,
        training: TrainingState,
        loader: BatchLoader,
        report: RoundReport,
        should_stop: Callable[[], bool],
    ) -> None:
        engine = SparseTrainer(training, loader, device=self.device, should_stop=should_stop)
        bar = ProgressBar(show=self.options.show_progress)
        report.attach(engine)
        bar.attach(engine)
        training.budget.start()
        try:
            engine.run()
        finally:
            bar.close()

    def _state(self, budget: Budget) -> TrainingState:
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
            generator=torch.Generator(self.device).manual_seed(self.settings.seed + 2),
            acceleration=self.settings.acceleration,
            learning_rate=self.options.learning_rate,
        )

    def _loader(self, training: TrainingState) -> BatchLoader:
        plan, method, budget = self.settings.plan, training.method, training.budget
        return BatchLoader(
            self.preparation.cases,
            plan,
            class_count=len(self.settings.classes),
            composition=lambda: method.composition(budget.fraction, plan.batch_size),
            seed=self.settings.seed,
            device=self.device,
            augmentation=self.options.augmentation,
        )

    def _validate(self, training: TrainingState) -> float | None:
        return validation_dice(
            training.teacher,
            self.validation,
            self.settings.plan,
            class_count=len(self.settings.classes),
            acceleration=self.settings.acceleration,
            device=self.device,
        )

    def _keep(self, training: TrainingState, loader: BatchLoader) -> None:
        save_checkpoint(self.out / CHECKPOINT, training, loader, self.settings.to_json())

    def _log_start(self, report: RoundReport, training: TrainingState) -> None:
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

    def _finish(
        self, training: TrainingState, loader: BatchLoader, best_metric: float | None
    ) -> TrainingResult:
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
            "absent_classes": list(settings.absent_classes),
            "skipped": self.preparation.skipped,
        }
        save_model(
            self.out,
            ModelConfig(settings.class_names, settings.classes, settings.plan, facts),
            training.teacher,
        )
        return TrainingResult(
            folder=self.out,
            plan=settings.plan,
            iterations=budget.iteration,
            seconds=budget.elapsed_seconds,
            finished=budget.is_over,
            best_metric=best_metric,
            skipped=self.preparation.skipped,
            unpropagated=self.preparation.unpropagated,
            absent_classes=settings.absent_classes,
            refused=training.refused,
        )


def prepare_job(
    cases: Sequence[TrainingCase],
    class_names: tuple[str, ...],
    options: TrainingOptions,
    *,
    out: Path,
    validation: Sequence[TrainingCase],
    resume: bool,
    say: Callable[[str], None],
) -> Job:
    """Plans, reads and propagates.

    Raises:
        InputError: if nothing can be trained on, or a checkpoint belongs to other data.
    """
    device = pick_device(options.device)
    checkpoint = None
    if resume and (out / CHECKPOINT).is_file():
        checkpoint = read_checkpoint(out / CHECKPOINT, device)
        settings = TrainingSettings.from_json(checkpoint["settings"])
        check_same(options, settings)
    else:
        settings = decide(cases, class_names, options, device, say)
    prepared = _prepare(cases, settings, options, out, "Preparing")
    _say_what_became_of(prepared, settings, say)
    settings_now = settings.with_data(prepared.cases)
    if checkpoint is not None and settings_now != settings:
        msg = (
            "Volumes or annotations changed since the training to resume was started: train anew "
            "without --resume."
        )
        raise InputError(msg)
    held_out = _prepare(validation, settings, options, out, "Preparing validation")
    return Job(settings_now, prepared, held_out.cases, options, device, out, checkpoint)


def _prepare(
    cases: Sequence[TrainingCase],
    settings: TrainingSettings,
    options: TrainingOptions,
    out: Path,
    title: str,
) -> Preparation:
    training = title == "Preparing"
    with tqdm(
        total=len(cases), desc=title, unit="volume", disable=not (options.show_progress and cases)
    ) as bar:
        return prepare_cases(
            cases,
            settings.plan,
            settings.classes,
            class_count=len(settings.class_names),
            with_pseudo_label=training and find_method(settings.method).needs_pseudo_label,
            propagator=options.propagator,
            cache=options.cache or out / "cache",
            on_case=lambda name: bar.update(),
        )


def _say_what_became_of(
    prepared: Preparation, settings: TrainingSettings, say: Callable[[str], None]
) -> None:
    labelled = sum(case.is_labelled for case in prepared.cases)
    say(f"{len(prepared.cases)} volumes, {labelled} of them annotated.")
    for name, reason in prepared.skipped.items():
        say(f"Skipped {name}: {reason}")
    for name, reason in prepared.unpropagated.items():
        say(f"{name} trains on its annotation alone: {reason}")
    for name in settings.absent_classes:
        say(f"Nobody annotated {name}: the model will not predict it.")
    if not labelled:
        reasons = " ".join(list(prepared.skipped.values())[:3])
        msg = f"No volume has an annotation to learn from: annotate a plane first. {reasons}"
        raise InputError(msg.strip())
