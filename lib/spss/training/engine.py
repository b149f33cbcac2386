"""One training as a `monai.engines.Trainer`: steps, bad numbers, rounds and the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from ignite.engine import Events
from ignite.engine.events import EventEnum
from monai.engines import Trainer
from torch import Tensor, nn

from spss.errors import SpssError
from spss.methods import Batch, Method, StepContext
from spss.training.acceleration import Acceleration
from spss.training.budget import Budget
from spss.training.distributed import anywhere, average_gradients, of_first
from spss.training.optimiser import LEARNING_RATE, learning_rate_factor, set_learning_rate
from spss.training.snapshot import Snapshot
from spss.training.teacher import update_teacher

LARGEST_GRADIENT = 1.0
"""Norm to which gradients are clipped. nnU-Net's 12 belongs to its SGD; here 1 was level or
better in three of four pairs of runs (hippocampus; ``docs/research.md``)."""

MOST_FAILURES = 25
"""Consecutive steps with bad numbers after which there is no last good state to go on from."""


class RoundEvents(EventEnum):
    """Events beside ignite's own."""

    ROUND_COMPLETED = "round_completed"
    STEP_REFUSED = "step_refused"


@dataclass
class TrainingState:
    """Everything a step reads or changes; what a checkpoint holds.

    Attributes:
        student: the network that is trained.
        teacher: its moving average.
        method: what a step's loss is.
        optimiser: of the student's and the method's parameters.
        budget: how far the training is.
        generator: random numbers of the method, on the training device.
        acceleration: precision and layout.
        learning_rate: peak of the schedule.
        refused: names of the volumes in batches whose numbers were bad → how often.
    """

    student: nn.Module
    teacher: nn.Module
    method: Method
    optimiser: torch.optim.Optimizer
    budget: Budget
    generator: torch.Generator
    acceleration: Acceleration
    learning_rate: float = LEARNING_RATE
    refused: dict[str, int] = field(default_factory=dict)


class SparseTrainer(Trainer):
    """Runs a method until its budget is spent.

    ``state.output`` is the dict of numbers of the last step; ``RoundEvents.ROUND_COMPLETED`` fires
    when another share of the training is done, ``STEP_REFUSED`` when a batch was left out.

    Args:
        training: networks, optimiser and method.
        loader: endless batches on the device.
        device: where to train.
        should_stop: asked after each step.
    """

    def __init__(
        self,
        training: TrainingState,
        loader: Iterable[Batch],
        *,
        device: torch.device,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        budget = training.budget
        remaining = (budget.iterations or 10**9) - budget.iteration
        super().__init__(
            device=device,
            max_epochs=1,
            epoch_length=max(remaining, 1),
            data_loader=loader,
            iteration_update=self._step,
            event_names=[RoundEvents],
            decollate=False,
        )
        self.training = training
        self._device = device
        self._autocast = training.acceleration.autocast(device)
        self._scaler = torch.amp.GradScaler(device.type, enabled=training.acceleration.needs_scaler)
        self._snapshot = Snapshot(training.student, training.teacher, training.optimiser)
        self._failures = 0
        self._round = budget.round
        self._should_stop = should_stop

    def run(self) -> None:  # type: ignore[override]
        """Runs until the budget is spent or somebody stops it."""
        # last of the handlers, so that those of the caller have seen the step when a round ends
        self.add_event_handler(Events.ITERATION_COMPLETED, self._end_step)
        super().run()

    def _step(self, engine: Any, batch: Batch) -> dict[str, float]:
        """One batch: loss, update and teacher; numbers are left out where the step was refused."""
        del engine
        training = self.training
        fraction = of_first(training.budget.fraction, self._device)
        set_learning_rate(
            training.optimiser, training.learning_rate * learning_rate_factor(fraction)
        )
        training.student.train()
        context = StepContext(
            student=training.student,
            teacher=training.teacher,
            fraction=fraction,
            iteration=training.budget.iteration,
            generator=training.generator,
            autocast=self._autocast,
        )
        losses = training.method.training_step(self._laid_out(batch), context)
        numbers: dict[str, float] = {}
        if self._update(losses["loss"]):
            self._failures = 0
            update_teacher(training.teacher, training.student, training.budget.iteration)
            numbers = {name: float(value.detach()) for name, value in losses.items()}
            numbers |= training.method.after_step(batch, context)
        else:
            self._refuse(batch)
        training.budget.iteration += 1
        return numbers

    def _update(self, loss: Tensor) -> bool:
        """One optimiser step; False, with the weights untouched, if a number is not finite."""
        training = self.training
        training.optimiser.zero_grad(set_to_none=True)
        if anywhere(not bool(torch.isfinite(loss)), self._device):
            return False
        parameters = [p for group in training.optimiser.param_groups for p in group["params"]]
        if loss.requires_grad:  # not if nothing in this batch counts
            self._scaler.scale(loss).backward()
        average_gradients(parameters)
        if all(parameter.grad is None for parameter in parameters):
            return True
        self._scaler.unscale_(training.optimiser)
        norm = nn.utils.clip_grad_norm_(parameters, LARGEST_GRADIENT)
        finite = bool(torch.isfinite(norm))
        if finite or self._scaler.is_enabled():  # the scaler leaves a bad step out by itself
            self._scaler.step(training.optimiser)
            self._scaler.update()
        return finite or self._scaler.is_enabled()

    def _refuse(self, batch: Batch) -> None:
        """Names the batch, goes back to the last good weights, and gives up only if it recurs."""
        for name in batch.names:
            self.training.refused[name] = self.training.refused.get(name, 0) + 1
        self._failures += 1
        self._snapshot.restore_if_broken()
        self.state.refused_names = batch.names
        self.fire_event(RoundEvents.STEP_REFUSED)
        if self._failures >= MOST_FAILURES:
            self._snapshot.restore()
            msg = (
                f"Training stopped: {self._failures} steps in a row gave a loss that is no number, "
                f"lastly on {', '.join(batch.names)}; check these images or lower the learning "
                "rate."
            )
            raise SpssError(msg)

    def _laid_out(self, batch: Batch) -> Batch:
        if not self.training.acceleration.channels_last:
            return batch
        return batch.channels_last()

    def _end_step(self) -> None:
        """Ends a round where one is complete, and the training when all processes agree.

        What a round's handlers do may need all processes, whose clocks differ: the first one's
        round counts, and a budget that is over anywhere.
        """
        budget = self.training.budget
        done = int(of_first(float(budget.round), self._device))
        over = anywhere(budget.is_over, self._device)
        if done > self._round or over:
            self._round = done
            self._snapshot.take()
            self.fire_event(RoundEvents.ROUND_COMPLETED)
        if over or anywhere(self._should_stop(), self._device):
            self.terminate()
