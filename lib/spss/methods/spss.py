"""SPSS, ours: propagation as far as it is trusted, the teacher beyond, voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.contrast import bidirectional_contrast
from spss.methods.batch import Batch
from spss.methods.losses import segmentation_loss
from spss.methods.method import Method, StepContext, StepLosses
from spss.methods.schedule import late_ramp
from spss.mixing import block_mask, cut_mix
from spss.refinement import beyond_reach, distance_weights
from spss.refinement.fusion import certainty
from spss.selfpaced import entropy, select_class_blind, select_class_wise

FOREGROUND = 0.3
"""Propagated probability of any structure from which a voxel counts as reached by it."""


@dataclass(frozen=True)
class SpssConfig:
    """Constants of `Spss`."""

    reliability_power: float = field(
        default=1.0, metadata={"help": "trust in a propagated voxel = reliability^power x decay^d"}
    )
    decay_start: float = field(
        default=0.8, metadata={"help": "trust one slice from a plane, at the start; PLN: 0.8"}
    )
    decay_end: float = field(
        default=0.8,
        metadata={"help": "the same at the end; below the start: dense to sparse, as DeSCO"},
    )
    far_trust: float = field(
        default=0.5,
        metadata={"help": "least trust in background beyond the structure's reach; 0 = none"},
    )
    reach: float = field(
        default=1.0, metadata={"help": "reach of a structure beyond itself, in its own radii"}
    )
    truth_weight: float = field(default=8.0, metadata={"help": "weight of an annotated voxel"})
    dice_weight: float = field(
        default=1.0, metadata={"help": "Dice beside cross-entropy; 1 in nnU-Net's compound loss"}
    )
    consistency_weight: float = field(
        default=1.0, metadata={"help": "largest weight of the teacher on voxels it may teach"}
    )
    ramp_start: float = field(
        default=0.3, metadata={"help": "share of the training before the teacher teaches"}
    )
    ramp_length: float = field(
        default=0.3, metadata={"help": "share of the training over which its weight grows"}
    )
    selection: bool = field(
        default=True, metadata={"help": "SU: only the most certain voxels of each class and image"}
    )
    youngest: float = field(
        default=0.5, metadata={"help": "share of voxels selected at the start; grows with age to 1"}
    )
    class_blind: bool = field(
        default=False, metadata={"help": "SU ranks all voxels of the batch together, for ablation"}
    )
    noise: float = field(
        default=0.1, metadata={"help": "sd of the noise on the student's view, in sd of the image"}
    )
    mix_share: float = field(
        default=0.0, metadata={"help": "share of the steps whose volumes are mixed in blocks (M3)"}
    )
    contrast_weight: float = field(
        default=0.0, metadata={"help": "SC; SPSS ramps it to 0.1. Off until it is shown to help"}
    )
    negatives: int = field(default=50, metadata={"help": "K of the contrastive loss; SPSS: 50"})
    contrast_temperature: float = field(default=0.07, metadata={"help": "tau; SPSS: 0.07"})


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

        w = truth_weight where annotated, else reliability^p · max(a(t)^d, far),
        a(t): decay_start → decay_end

    (d slices from the nearest annotated plane; far > 0 on background beyond the structure's reach;
    w = 0 in volumes without a label). The student learns

        L = CE_w + Dice_w of the propagated soft label
            + c(t) · (CE_u + Dice_u) of the teacher's soft prediction,
        u = (1 - min(w, 1)) · certainty(teacher) · v,

    so the teacher speaks where propagation has fallen silent, and v is SU: 1 on the most certain
    share of each predicted class of each image, a share that grows with age until all are in.
    """

    name = "spss"
    summary = "self-paced: trust near planes, then the teacher where propagation falls silent"
    Config = SpssConfig
    needs_pseudo_label = True
    needs_unlabelled = True
    embedding_channels = 32

    def composition(self, fraction: float, batch_size: int) -> tuple[int, int]:
        """Unlabelled volumes cost time only once the teacher teaches."""
        started = fraction >= self.config.ramp_start and self.config.consistency_weight > 0
        return batch_size, max(1, batch_size // 2) if started else 0

    def training_step(self, batch: Batch, context: StepContext) -> StepLosses:
        """See `Method.training_step`."""
        config = self.config
        trust = propagation_trust(batch, context.fraction, config)
        weight = config.consistency_weight * late_ramp(
            context.fraction, start=config.ramp_start, length=config.ramp_length
        )
        if weight == 0:
            logits = context.predict(batch.image)
            loss = segmentation_loss(
                logits, batch.pseudo_label, trust, dice_weight=config.dice_weight
            )
            return {"loss": loss, "supervised": loss.detach()}
        targets = self._targets(batch, trust, context)
        view = targets.image + config.noise * context.noise_like(targets.image)
        return self._losses(view, targets, weight, context)

    def _targets(self, batch: Batch, trust: Tensor, context: StepContext) -> Targets:
        """The batch and what the teacher thinks of it, perhaps mixed across patients."""
        targets = Targets(
            batch.image,
            batch.pseudo_label,
            trust[:, None],
            context.teach(batch.image),
            batch.valid[:, None],
        )
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
        open_to_teacher = (1 - trust.clamp_max(1)) * targets.valid[:, 0]
        selected = self._select(teacher, targets.valid[:, 0], context.fraction)
        consistency = segmentation_loss(
            logits,
            teacher,
            open_to_teacher * certainty(teacher)[:, 0] * selected,
            dice_weight=config.dice_weight,
        )
        loss = supervised + weight * consistency
        numbers = {
            "supervised": supervised.detach(),
            "consistency": consistency.detach(),
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
        age = (fraction - config.ramp_start) / max(1 - config.ramp_start, 1e-9)
        rate = config.youngest + (1 - config.youngest) * min(max(age, 0.0), 1.0)
        if config.class_blind:  # the same share, so that nothing but the ranking differs
            selected = torch.zeros_like(valid)
            selected[valid] = select_class_blind(entropy(teacher)[valid][None], rate)[0]
            return selected
        return select_class_wise(
            entropy(teacher),
            teacher.argmax(1),
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
            anchor_classes=probabilities.argmax(1),
            pool_probabilities=probabilities,
            negative_count=self.config.negatives,
            temperature=self.config.contrast_temperature,
            anchor_weights=anchors,
        )


def propagation_trust(batch: Batch, fraction: float, config: SpssConfig) -> Tensor:
    """Trust w = reliability^p · max(a(t)^d, far), truth_weight where annotated.

    Far slices err more, and all in one direction. What they say about where the structure is *not*
    stays: far = ``far_trust`` on background beyond the structure's reach, else 0. Annotated planes
    lie inside the organ, so nothing else teaches that it ends.

    a(t) moves linearly from ``decay_start`` to ``decay_end``. Falling to 0.4, it forgets far slices
    before their errors are memorised: nothing gained on the hippocampus (five seeds), and 0.07 lost
    on ACDC (one; ``docs/research.md``). So it does not fall.

    Args:
        batch: with propagated labels.
        fraction: share of the training done.
        config: see `SpssConfig`.

    Returns:
        ``(B, X, Y, Z)`` float32.
    """
    base = config.decay_start + (config.decay_end - config.decay_start) * fraction
    decayed = distance_weights(batch.distance, base=base)
    if config.far_trust > 0:
        propagated = (1 - batch.pseudo_label[:, 0] > FOREGROUND) & (batch.reliability > 0)
        beyond = beyond_reach(propagated, batch.spacing_mm, radii=config.reach)
        decayed = torch.maximum(decayed, config.far_trust * beyond)
    trust = batch.reliability.pow(config.reliability_power) * (batch.reliability > 0) * decayed
    return trust.masked_fill(batch.annotated, config.truth_weight)
