"""SPSS, ours: propagation as far as it is trusted, the teacher beyond, voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.contrast import bidirectional_contrast
from spss.methods.batch import Batch
from spss.methods.late_teacher import LateTeacher
from spss.methods.losses import EPSILON, segmentation_loss, total
from spss.methods.method import LabelledVolume, Method, StepContext, StepLosses
from spss.methods.registration_feedback import RegistrationFeedback
from spss.methods.schedule import shared_batch
from spss.methods.spss_config import SpssConfig
from spss.methods.trust import propagation_age, propagation_trust, self_paced_trust
from spss.mixing import block_mask, cut_mix
from spss.refinement import fuse, reliability_teacher_share
from spss.refinement.fusion import certainty
from spss.selfpaced import Slowdown, entropy, most_likely, select_class_blind, select_class_wise
from spss.types import SpacingMm


class Targets(NamedTuple):
    """What every voxel of a batch is taught, all ``(B, channels, X, Y, Z)``."""

    image: Tensor
    pseudo_label: Tensor
    trust: Tensor
    teacher: Tensor
    valid: Tensor


class Spss(Method):
    """Self-paced sample selection for barely supervised segmentation, repaired and simplified.

    Every voxel v of every volume, labelled or not, has a trust w in what was propagated to it:

        w = w_T where annotated, else reliability^p · max(decay^(d · max(1, age)), far) · s

    (d slices from the nearest annotated plane; far > 0 on background beyond the structure's reach;
    w_T gives what was drawn half of its patch's trust; s < 1 where the teacher contradicts what was
    propagated, see `self_paced_trust`, else 1; w = 0 in volumes without a label). The student
    learns

        L = CE_w + Dice_w of the propagated soft label
            + c · min(1, κ sum(u) / sum(w)) · (CE_uv + Dice_uv) of the teacher's soft prediction,
        u = (1 - min(w, 1)) · certainty(teacher),

    so the teacher speaks where propagation has fallen silent, as loudly as it has more to say (κ is
    ``teacher_trust``): propagation that reaches most of a volume is not drowned by a teacher that
    learned from it. v is SU: 1 on the most certain share of each predicted class of each image, a
    share that grows until all are in.

    c grows from half of the training on. Long trainings go by the age of the propagated labels
    instead: the teacher speaks from ``start_age`` (50 passes), and at age 1 (80), when the student
    begins to learn the labels' errors by heart, stops following it (`LateTeacher`).

    A teacher contradicts propagation, s < 1, only if learning had slowed down (`Slowdown`) when it
    began to teach: until then what it does not believe may be what it has yet to learn.
    """

    name = "spss"
    summary = "self-paced: trust near planes, then the teacher where propagation falls silent"
    Config = SpssConfig
    needs_pseudo_label = True
    needs_unlabelled = True
    embedding_channels = 32

    def __init__(self, config: Any = None, *, class_count: int, device: torch.device) -> None:
        super().__init__(config, class_count=class_count, device=device)
        self.teacher = LateTeacher(
            start=self.config.ramp_start,
            start_age=self.config.start_age,
            ramp=self.config.ramp_length,
        )
        self.slowdown = Slowdown()
        self.feedback: RegistrationFeedback | None = None
        if self.config.registration_steps > 0:
            self.feedback = RegistrationFeedback(device, class_count=class_count)

    def composition(self, fraction: float, batch_size: int) -> tuple[int, int]:
        """Unlabelled volumes take the place of labelled ones, once the teacher teaches."""
        if self.teacher.waits(fraction) or self.config.consistency_weight == 0:
            return batch_size, 0
        return shared_batch(batch_size, self.config.unlabelled_share)

    def training_step(self, batch: Batch, context: StepContext) -> StepLosses:
        """See `Method.training_step`."""
        config = self.config
        age = propagation_age(batch.passes, context.iteration, config)
        trust = propagation_trust(batch, age, config)
        weight = config.consistency_weight * self.teacher.weight(age, context.fraction)
        if weight == 0:
            logits = context.predict(batch.image)
            loss = segmentation_loss(
                logits, batch.pseudo_label, trust, dice_weight=config.dice_weight
            )
            self.slowdown.add(age, float(loss.detach()))
            if self.feedback is not None:
                self.feedback.remember(batch, batch.pseudo_label)
            return {"loss": loss, "supervised": loss.detach()}
        taught = self.teacher.of(context, age).teach(batch.image)
        if self.slowdown.value >= config.agreement_slowdown:
            trust = self_paced_trust(trust, taught, batch, config)
        targets = self._targets(batch, trust, taught, context)
        view = targets.image + config.noise * context.noise_like(targets.image)
        losses = self._losses(view, targets, weight, context)
        return {**losses, "slowdown": losses["loss"].new_tensor(self.slowdown.value)}

    def after_step(self, batch: Batch, context: StepContext) -> dict[str, float]:
        """Feedback: the registration learns from images and from this step's refined labels."""
        if self.feedback is None:
            return {}
        steps = self.config.registration_steps
        self.feedback.learn_images(batch, steps=steps // 2, generator=context.generator)
        return self.feedback.learn_remembered(steps=steps - steps // 2, generator=context.generator)

    def renew_labels(
        self, volumes: Sequence[LabelledVolume], spacing_mm: SpacingMm, fraction: float
    ) -> dict[str, Tensor]:
        """Feedback: the planes, carried by the registration as it is now."""
        return {} if self.feedback is None else self.feedback.renew(volumes, spacing_mm, fraction)

    def state_dict(self) -> dict[str, Any]:
        """The teacher's, and the registration's where there is feedback."""
        state: dict[str, Any] = {
            "teacher": self.teacher.state_dict(),
            "slowdown": self.slowdown.state_dict(),
        }
        if self.feedback is not None:
            state["registration"] = self.feedback.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self.teacher.load_state_dict(state["teacher"])
        self.slowdown.load_state_dict(state["slowdown"])
        if self.feedback is not None:
            self.feedback.load_state_dict(state["registration"])

    def _targets(
        self, batch: Batch, trust: Tensor, teacher: Tensor, context: StepContext
    ) -> Targets:
        """The batch and what the teacher thinks of it, perhaps mixed across patients."""
        targets = Targets(
            batch.image, batch.pseudo_label, trust[:, None], teacher, batch.valid[:, None]
        )
        if self.feedback is not None:
            share = reliability_teacher_share(trust[:, None], teacher)
            self.feedback.remember(batch, fuse(batch.pseudo_label, teacher, share))
        draw = torch.rand(2, generator=context.generator, device=batch.image.device)
        if len(batch) < 2 or float(draw[0]) >= self.config.mix_share:
            return targets
        # One mask for the whole batch: what a volume loses another gets, so no truth is lost.
        seeded = torch.Generator().manual_seed(int(draw[1] * 2**24))
        mask = block_mask(batch.image.shape[2:], generator=seeded)
        return Targets(**cut_mix(targets._asdict(), mask))

    def _losses(
        self, view: Tensor, targets: Targets, weight: float, context: StepContext
    ) -> StepLosses:
        config = self.config
        with_contrast = config.contrast_weight > 0
        logits, embedding = context.embed(view) if with_contrast else (context.predict(view), None)
        trust, teacher = targets.trust[:, 0], targets.teacher
        supervised = segmentation_loss(
            logits, targets.pseudo_label, trust, dice_weight=config.dice_weight
        )
        valid = targets.valid[:, 0]
        open_to_teacher = (1 - trust.clamp_max(1)) * certainty(teacher)[:, 0] * valid
        selected = self._select(teacher, valid, context.fraction)
        consistency = segmentation_loss(
            logits, teacher, open_to_teacher * selected, dice_weight=config.dice_weight
        )
        to_say = total(open_to_teacher.sum()) / total(trust.sum()).clamp_min(EPSILON)
        loudness = weight * (config.teacher_trust * to_say).clamp_max(1.0)
        loss = supervised + loudness * consistency
        numbers = {
            "supervised": supervised.detach(),
            "consistency": consistency.detach(),
            "consistency_weight": loudness.detach(),
            "selected": selected.float().mean(),
            "trust": trust.mean(),
        }
        if embedding is not None:
            contrast = self._contrast(embedding, targets, selected, context)
            loss = loss + config.contrast_weight * contrast
            numbers["contrast"] = contrast.detach()
        return {"loss": loss, **numbers}

    @torch.no_grad()
    def _select(self, teacher: Tensor, valid: Tensor, fraction: float) -> Tensor:
        """SU: ``(B, X, Y, Z)`` bool; the share grows linearly with age from ``youngest`` to 1."""
        config = self.config
        if not config.selection:
            return valid
        start = config.ramp_start if self.teacher.began is None else self.teacher.began
        age = (fraction - start) / max(1 - start, 1e-9)
        rate = config.youngest + (1 - config.youngest) * min(max(age, 0.0), 1.0)
        if config.class_blind:  # the same share, so that nothing but the ranking differs
            selected = torch.zeros_like(valid)
            selected[valid] = select_class_blind(entropy(teacher)[valid][None], rate)[0]
            return selected
        return select_class_wise(
            entropy(teacher),
            most_likely(teacher),
            rate,
            class_count=self.class_count,
            boundary_rate=rate,
            valid=valid,
        )

    def _contrast(
        self, first: Tensor, targets: Targets, selected: Tensor, context: StepContext
    ) -> Tensor:
        """SC of two noisy views; anchors are the selected voxels, negatives the second view's."""
        noise = self.config.noise * context.noise_like(targets.image)
        _, second = context.embed(targets.image + noise)
        grid = tuple(first.shape[2:])
        probabilities = F.interpolate(targets.teacher, size=grid, mode="trilinear")
        anchors = F.interpolate(selected[:, None].float(), size=grid, mode="trilinear")[:, 0]
        return bidirectional_contrast(
            first,
            second,
            second.detach(),
            anchor_classes=most_likely(probabilities),
            pool_probabilities=probabilities,
            negative_count=self.config.negatives,
            temperature=self.config.contrast_temperature,
            anchor_weights=anchors,
        )
