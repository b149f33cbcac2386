"""SPSS as released, each of its defects A1 to A6 behind its own switch, for ablation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.contrast import bidirectional_contrast
from spss.contrast.dense import dense_bidirectional_contrast
from spss.methods.batch import Batch
from spss.methods.losses import one_hot, soft_cross_entropy, soft_dice_loss
from spss.methods.method import LabelledVolume, Method, StepContext, StepLosses
from spss.methods.refined import (
    RefinedConfig,
    nominal_iteration,
    refined_label,
    refined_supervision,
)
from spss.methods.registration_feedback import RegistrationFeedback
from spss.methods.released_views import Views, limited_noise, other_crop, resized
from spss.mixing import box_mask
from spss.selfpaced import (
    Pace,
    most_likely,
    select_class_blind,
    select_class_wise,
    teacher_opinion,
)
from spss.types import SpacingMm

NOMINAL_EPOCH = 8
"""Iterations in an epoch of the released runs (16 labelled volumes, 2 in a batch)."""


@dataclass(frozen=True)
class SpssReferenceConfig(RefinedConfig):
    """Constants of `SpssReference`; ``aN`` = True behaves as the released code does."""

    a1_integer_weights: bool = field(
        default=True, metadata={"help": "0.8^d is truncated: propagated voxels weigh 0 in the CE"}
    )
    a2_double_softmax: bool = field(
        default=True, metadata={"help": "cross-entropy takes probabilities for logits"}
    )
    a3_misaligned_mask: bool = field(
        default=True, metadata={"help": "uncertainty is measured on another crop than the loss"}
    )
    a4_few_unlabelled: bool = field(
        default=True, metadata={"help": "only a quarter of the unlabelled volumes is ever used"}
    )
    a5_self_mix: bool = field(
        default=True, metadata={"help": "cut-mix of two noisy copies of one crop, not two patients"}
    )
    a6_class_blind: bool = field(
        default=True, metadata={"help": "certain voxels are ranked whatever their class and image"}
    )
    uncertainty_passes: int = field(default=8, metadata={"help": "noisy teacher passes; SPSS: 8"})
    negatives: int = field(default=50, metadata={"help": "K of the contrastive loss; SPSS: 50"})
    contrast_temperature: float = field(default=0.07, metadata={"help": "tau; SPSS: 0.07"})
    noise: float = field(default=0.1, metadata={"help": "sd of the views' noise; SPSS: 0.1"})
    selection: bool = field(default=True, metadata={"help": "SU; off: all voxels are consistent"})
    contrast: bool = field(default=True, metadata={"help": "SC"})
    dense_contrast: bool = field(
        default=False, metadata={"help": "SC in its published N x N form, to measure its cost"}
    )
    contrast_pooling: int = field(
        default=1, metadata={"help": "SC on means of so many voxels per axis; released: 1/8 grid"}
    )
    registration_steps: int = field(
        default=0,
        metadata={"help": "feedback: Adam steps of registration, half before, half after; SPSS 20"},
    )


class SpssReference(Method):
    """Su et al., "Self-paced sample selection", MICCAI 2024, as its code runs.

    L = L_sup + L_u + L_sc: refined labels (`refined_supervision`), consistency of the mixed view
    with the mixed teacher prediction on the voxels SU selects, and the bidirectional contrastive
    loss; with ``registration_steps`` a registration network learns on (`RegistrationFeedback`).
    Schedules count nominal iterations (`NOMINAL_ITERATIONS`) and epochs of eight. Scarce
    negatives (A7) and the absent annotated slice (A8) have no switch: the loss and the loader here
    cannot do either. A4's fixed pairing is left out; a quarter of the volumes is chosen by name.
    """

    name = "spss_reference"
    summary = "SPSS as released, with its defects A1 to A6 behind switches (MICCAI 2024)"
    Config = SpssReferenceConfig
    needs_pseudo_label = True
    needs_unlabelled = True
    embedding_channels = 64

    def __init__(self, config: Any = None, *, class_count: int, device: torch.device) -> None:
        super().__init__(config, class_count=class_count, device=device)
        self.pace = Pace()
        self.previous_loss = 1.0
        """L_prev, the last consistency loss; starts where the student is too young for any age."""
        self.feedback = (
            RegistrationFeedback(device, class_count=class_count)
            if self.config.registration_steps > 0
            else None
        )

    def composition(self, fraction: float, batch_size: int) -> tuple[int, int]:
        """Half of a batch is unlabelled, as published (2 + 2)."""
        del fraction
        return max(1, batch_size // 2), max(1, batch_size // 2)

    def training_step(self, batch: Batch, context: StepContext) -> StepLosses:
        """See `Method.training_step`."""
        if self.config.a4_few_unlabelled:
            batch = batch.select(_used_as_released(batch))
        t = nominal_iteration(context.fraction)
        weight = self.pace.weight(t)
        if self.feedback is not None:
            steps = self.config.registration_steps // 2
            self.feedback.learn_images(batch, steps=steps, generator=context.generator)
        supervised = self._supervised(batch, context)
        views = self._views(batch, context)
        consistency, selected, embedding = self._consistency(batch, views, context, t)
        loss = supervised + weight * consistency
        numbers = {
            "supervised": supervised.detach(),
            "consistency": consistency.detach(),
            "selected": selected.float().mean(),
        }
        if self.config.contrast:
            contrast = self._contrast(views, embedding, context)
            loss = loss + weight * contrast
            numbers["contrast"] = contrast.detach()
        self.previous_loss = float(consistency.detach())
        return {"loss": loss, **numbers}

    def after_step(self, batch: Batch, context: StepContext) -> dict[str, float]:
        """The registration learns from the labels this step refined."""
        if self.feedback is None:
            return {}
        steps = self.config.registration_steps - self.config.registration_steps // 2
        return self.feedback.learn_remembered(steps=steps, generator=context.generator)

    def renew_labels(
        self, volumes: Sequence[LabelledVolume], spacing_mm: SpacingMm, fraction: float
    ) -> dict[str, Tensor]:
        """The planes, carried by the registration as it is now."""
        return {} if self.feedback is None else self.feedback.renew(volumes, spacing_mm, fraction)

    def state_dict(self) -> dict[str, Any]:
        """The last consistency loss, which sets the next selection rate; the registration."""
        state: dict[str, Any] = {"previous_loss": self.previous_loss}
        if self.feedback is not None:
            state["registration"] = self.feedback.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self.previous_loss = float(state["previous_loss"])
        if self.feedback is not None:
            self.feedback.load_state_dict(state["registration"])

    def _supervised(self, batch: Batch, context: StepContext) -> Tensor:
        config = self.config
        noise = limited_noise(batch.image, config.noise, context)
        logits = context.predict(batch.image)
        teacher = context.teach(batch.image + noise)
        label = refined_label(batch, teacher, nominal_iteration(context.fraction), config)
        if self.feedback is not None:
            self.feedback.remember(batch, label)
        return refined_supervision(
            logits,
            batch,
            teacher,
            context.fraction,
            config,
            label=label,
            integer_weights=config.a1_integer_weights,
            double_softmax=config.a2_double_softmax,
        )

    def _views(self, batch: Batch, context: StepContext) -> Views:
        """A1, A2 (noise with probability one half) and A1 with a box of A2 pasted."""
        first, second = (
            batch.image + limited_noise(batch.image, self.config.noise, context, share=0.5)
            for _ in range(2)
        )
        shift = 0 if self.config.a5_self_mix else 1
        seed = int(torch.randint(2**31, (), generator=context.generator, device=self.device))
        pasted = box_mask(
            batch.image.shape[2:], full_axes=(2,), generator=torch.Generator().manual_seed(seed)
        ).to(batch.image.device)
        mixed = torch.where(pasted, second.roll(shift, 0), first)
        return Views(first, second, mixed, pasted, shift)

    def _consistency(
        self, batch: Batch, views: Views, context: StepContext, t: int
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """CE and Dice of the mixed view against the mixed teacher, on the selected voxels."""
        config = self.config
        logits, embedding = context.embed(views.mixed)
        taught = [context.teach(view) for view in (views.first, views.second.roll(views.shift, 0))]
        target = most_likely(torch.where(views.pasted, taught[1], taught[0]))
        valid = torch.where(views.pasted[:, 0], batch.valid.roll(views.shift, 0), batch.valid)
        selected = valid
        if config.selection:
            rate = self.pace.selection_rate(t, t / NOMINAL_EPOCH, self.previous_loss)
            selected = self._select(views.mixed, target, rate, valid, context)
        probabilities = logits.softmax(1)
        scores = probabilities if config.a2_double_softmax else logits
        wanted = one_hot(target, self.class_count)
        chosen = selected.float()
        loss = soft_cross_entropy(scores, wanted, chosen)
        loss = loss + soft_dice_loss(probabilities, wanted, chosen)
        return loss, selected, (probabilities.detach(), embedding)

    def _select(
        self, view: Tensor, classes: Tensor, rate: float, valid: Tensor, context: StepContext
    ) -> Tensor:
        config = self.config
        seen = other_crop(view, context) if config.a3_misaligned_mask else view
        uncertainty = teacher_opinion(
            lambda image: context.teach(image).clamp_min(1e-12).log(),
            seen,
            passes=config.uncertainty_passes,
            noise_std=config.noise,
            noise_limit=2 * config.noise,
            generator=context.generator,
        ).uncertainty
        if config.a6_class_blind:
            return select_class_blind(uncertainty, rate) & valid
        return select_class_wise(
            uncertainty, classes, rate, class_count=self.class_count, valid=valid
        )

    def _contrast(self, views: Views, pool: tuple[Tensor, Tensor], context: StepContext) -> Tensor:
        """SC on the projection's grid; classes are the logits resized to it."""
        logits, first = context.embed(views.first)
        _, second = context.embed(views.second)
        probabilities, embedding = pool
        first, second, embedding = (
            F.avg_pool3d(each, self.config.contrast_pooling) for each in (first, second, embedding)
        )
        grid = first.shape[2:]
        dense = self.config.dense_contrast
        return (dense_bidirectional_contrast if dense else bidirectional_contrast)(
            first,
            second,
            embedding,
            anchor_classes=most_likely(resized(logits.detach(), grid)),
            pool_probabilities=resized(probabilities, grid),
            negative_count=self.config.negatives,
            temperature=self.config.contrast_temperature,
        )


def _used_as_released(batch: Batch) -> Tensor:
    """``(B,)`` bool: labelled volumes, and a quarter of the others (16 of 64 in the release)."""
    quarter = torch.tensor([crc32(name.encode()) % 4 == 0 for name in batch.names])
    return quarter | batch.labelled.cpu()
