"""The interface of a training method, and what the engine hands it.

Adding a method means adding one file with one subclass of `Method` and one line to the registry in
``spss/methods/__init__.py``. The engine owns the networks, the optimiser, the exponential moving
average, the batches and the checkpoints; a method only says

- what it needs (class attributes ``needs_pseudo_label``, ``needs_unlabelled``,
  ``embedding_channels``, and ``composition``: labelled and unlabelled patches of a step),
- what a step's loss is (``training_step``), and what else happens after it (``after_step``),
- whether it has better labels of the volumes (``renew_labels``),
- which state of its own must survive a restart (``state_dict`` / ``load_state_dict``).

Example::

    @dataclass(frozen=True)
    class MyConfig:
        weight: float = field(default=0.3, metadata={"help": "lambda, eq. 4 of Author et al."})

    class MyMethod(Method):
        name = "mine"
        summary = "one line for /info/"
        Config = MyConfig
        needs_pseudo_label = True

        def training_step(self, batch: Batch, context: StepContext) -> StepLosses:
            logits = context.predict(batch.image)  # (B, C, X, Y, Z) float32, with gradient
            loss = ...
            return {"loss": loss, "anything_else_to_log": loss.detach()}
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from spss.methods.batch import Batch
from spss.types import SpacingMm

StepLosses = dict[str, Tensor]
"""Scalar tensors. ``"loss"`` is what is minimised, with gradient; every entry is logged."""


class LabelledVolume(Protocol):
    """A whole training volume and its label, as `Method.renew_labels` sees it."""

    @property
    def name(self) -> str:
        """Unique."""

    @property
    def image(self) -> Tensor:
        """``(X, Y, Z)`` float32, normalised."""

    @property
    def truth(self) -> Tensor:
        """``(X, Y, Z)`` uint8 in network classes, ``UNDECIDED`` where nobody looked."""

    @property
    def soft(self) -> Tensor | None:
        """``(C + 2, X, Y, Z)`` float16: probabilities, reliability, distance; or None."""


@dataclass(frozen=True)
class StepContext:
    """What a method may use during one step.

    Attributes:
        student: the network that is trained. Prefer ``predict`` / ``embed``, which add mixed
            precision and return float32.
        teacher: exponential moving average of the student, parameters and normalisation buffers.
        fraction: share of the training done, 0…1, by iterations or minutes as asked for. Schedules
            depend on this, not on the iteration, so that they fit any budget.
        iteration: steps done before this one, from 0.
        generator: random numbers on the device of the batch; saved in checkpoints.
        autocast: opens mixed precision where the probe at start found that it helps.
    """

    student: nn.Module
    teacher: nn.Module
    fraction: float
    iteration: int
    generator: torch.Generator
    autocast: Callable[[], AbstractContextManager[Any]]

    def predict(self, image: Tensor) -> Tensor:
        """Student's logits ``(B, C, X, Y, Z)`` float32 of ``(B, 1, X, Y, Z)``, with gradient."""
        with self._mixed():
            logits = self.student(image)
        return _planar(logits)

    def embed(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Student's logits, and projected decoder features ``(B, E, x, y, z)`` float32.

        Needs a method with ``embedding_channels`` > 0. The features are on the grid of a decoder
        level (coarser than the image; resize maps with `torch.nn.functional.interpolate`), not
        normalised.
        """
        with self._mixed():
            logits, embedding = self.student(image, embed=True)
        return _planar(logits), embedding.float()

    @torch.no_grad()
    def teach(self, image: Tensor) -> Tensor:
        """Teacher's probabilities ``(B, C, X, Y, Z)`` float32, without gradient."""
        with self._mixed():
            logits = self.teacher(image)
        return _planar(logits).softmax(dim=1)

    def noise_like(self, tensor: Tensor) -> Tensor:
        """Standard normal noise of the same shape, from the run's own generator."""
        return torch.randn(
            tensor.shape, generator=self.generator, device=tensor.device, dtype=tensor.dtype
        )

    def _mixed(self) -> AbstractContextManager[Any]:
        return self.autocast()


class Method(ABC):
    """One way to learn from sparse labels.

    Attributes:
        name: key in the registry and on the command line.
        summary: one line for people who choose a method.
        Config: frozen dataclass of the method's constants, each with a default and its source in
            the field's ``metadata["help"]``.
        needs_pseudo_label: whether propagated labels are computed before the training.
        needs_unlabelled: whether volumes without any label enter the batches.
        embedding_channels: E of the projection head on decoder features; 0 = no head.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Config: ClassVar[type]
    needs_pseudo_label: ClassVar[bool] = False
    needs_unlabelled: ClassVar[bool] = False
    embedding_channels: ClassVar[int] = 0

    def __init__(self, config: Any = None, *, class_count: int, device: torch.device) -> None:
        """Called once per training.

        Args:
            config: instance of ``Config``; None takes the defaults.
            class_count: classes the network knows, background included.
            device: where the batches will be.
        """
        self.config = self.Config() if config is None else config
        self.class_count = class_count
        self.device = device

    @abstractmethod
    def training_step(self, batch: Batch, context: StepContext) -> StepLosses:
        """The loss of one batch under the key ``"loss"``, and whatever else is worth a curve."""

    def composition(self, fraction: float, batch_size: int) -> tuple[int, int]:
        """Labelled and unlabelled patches of the next batch; labelled ones come first.

        Args:
            fraction: share of the training done, 0…1.
            batch_size: labelled patches the plan found to fit.
        """
        del fraction
        return batch_size, batch_size if self.needs_unlabelled else 0

    def after_step(self, batch: Batch, context: StepContext) -> dict[str, float]:
        """Runs after the optimiser's step and the teacher's update; returns numbers to log."""
        del batch, context
        return {}

    def renew_labels(
        self, volumes: Sequence[LabelledVolume], spacing_mm: SpacingMm, fraction: float
    ) -> dict[str, Tensor]:
        """Asked at the end of each round: volume's name → new soft maps, like `LabelledVolume`'s.

        Args:
            volumes: all labelled training volumes, on the CPU.
            spacing_mm: of their grid.
            fraction: share of the training done.
        """
        del volumes, spacing_mm, fraction
        return {}

    def parameters(self) -> Iterable[nn.Parameter]:
        """Parameters beside the segmenter's that the engine's optimiser shall train."""
        return ()

    def state_dict(self) -> dict[str, Any]:
        """State that must survive a restart: tensors, numbers, strings, dicts and lists of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        del state

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Names and defaults of the constants, as shown to people."""
        return {field.name: getattr(cls.Config(), field.name) for field in fields(cls.Config)}


def _planar(logits: Tensor) -> Tensor:
    """Float32, class after class in memory.

    On a CPU softmax and sums over the classes of a channels-last map take two to seven times as
    long (three classes, 538,000 voxels), and every loss takes some.
    """
    return logits.float().contiguous()
