"""Propagated labels, plus agreement with a slowly moving teacher on every volume."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from spss.methods.batch import Batch
from spss.methods.losses import segmentation_loss
from spss.methods.method import Method, StepContext, StepLosses
from spss.methods.pseudo import PseudoConfig, pseudo_label_loss
from spss.methods.schedule import late_ramp, shared_batch


@dataclass(frozen=True)
class MeanTeacherConfig(PseudoConfig):
    """Constants of `MeanTeacher`."""

    consistency_weight: float = field(
        default=0.3,
        metadata={"help": "largest weight of the consistency term; at 0.6 it confirms its errors"},
    )
    ramp_start: float = field(
        default=0.4,
        metadata={"help": "share of the training before consistency starts: teacher must be good"},
    )
    ramp_length: float = field(
        default=0.3, metadata={"help": "share of the training over which the weight grows"}
    )
    noise: float = field(
        default=0.1,
        metadata={"help": "sd of the noise on the student's view, in sd of the image (UA-MT: 0.1)"},
    )


class MeanTeacher(Method):
    """Tarvainen & Valpola 2017, on soft targets weighted by the teacher's confidence.

    L = L_pseudo + c(t) · [sum(v · CE(p_student(x + noise), p_teacher(x))) / sum(v) + Dice_v], with
    v = 1 - H(p_teacher) / log C inside the volume, and c(t) a ramp that starts late.
    """

    name = "mean_teacher"
    summary = "plus an EMA teacher's consistency on every volume, labelled or not"
    Config = MeanTeacherConfig
    needs_pseudo_label = True
    needs_unlabelled = True

    def composition(self, fraction: float, batch_size: int) -> tuple[int, int]:
        """Unlabelled volumes take the place of labelled ones, once their term counts."""
        started = fraction >= self.config.ramp_start
        return shared_batch(batch_size) if started else (batch_size, 0)

    def training_step(self, batch: Batch, context: StepContext) -> StepLosses:
        """See `Method.training_step`."""
        config = self.config
        weight = config.consistency_weight * late_ramp(
            context.fraction, start=config.ramp_start, length=config.ramp_length
        )
        if weight == 0:
            supervised = pseudo_label_loss(context.predict(batch.image), batch, config)
            return {"loss": supervised, "supervised": supervised.detach()}
        target = context.teach(batch.image)
        view = batch.image + config.noise * context.noise_like(batch.image)
        logits = context.predict(view)
        supervised = pseudo_label_loss(logits, batch, config)
        consistency = consistency_loss(logits, target, batch.valid)
        return {
            "loss": supervised + weight * consistency,
            "supervised": supervised.detach(),
            "consistency": consistency.detach(),
            "consistency_weight": torch.tensor(weight),
        }


def consistency_loss(logits: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """Soft cross-entropy and Dice against the teacher, weighted by its confidence.

    Args:
        logits: ``(B, C, X, Y, Z)`` float32, student.
        teacher: same shape, probabilities.
        valid: ``(B, X, Y, Z)`` bool; padding does not count.
    """
    confidence = 1 - normalised_entropy(teacher)
    return segmentation_loss(logits, teacher, confidence * valid)


def normalised_entropy(probabilities: Tensor) -> Tensor:
    """H(p) / log C in 0…1: ``(B, C, X, Y, Z)`` to ``(B, X, Y, Z)``."""
    entropy = torch.special.entr(probabilities).sum(dim=1)
    return entropy / torch.log(torch.tensor(float(max(probabilities.shape[1], 2))))
