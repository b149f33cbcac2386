"""Learn from propagated labels as far as they can be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from spss.methods.batch import Batch
from spss.methods.losses import segmentation_loss
from spss.methods.method import Method, StepContext, StepLosses


@dataclass(frozen=True)
class PseudoConfig:
    """Constants of `Pseudo`."""

    reliability_power: float = field(
        default=1.0,
        metadata={"help": "voxel weight = reliability ** power; 0 trusts every voxel alike"},
    )
    distance_decay: float = field(
        default=0.8,
        metadata={"help": "trust lost per slice from a drawn plane; 0.8 in PLN and SPSS, 1 = none"},
    )
    truth_weight: float = field(
        default=4.0, metadata={"help": "weight of an annotated voxel; propagated ones have ≤ 1"}
    )
    dice_weight: float = field(
        default=1.0, metadata={"help": "Dice beside cross-entropy; 1 in nnU-Net's compound loss"}
    )


class Pseudo(Method):
    """Soft propagated labels, each voxel weighted by the reliability of the propagation.

    L = sum(w · CE(p, q)) / sum(w) + Dice_w(p, q), with q the propagated probabilities (the truth on
    annotated voxels) and w = reliability ** power · decay ** d, d slices from the nearest drawn
    plane (truth_weight on annotated voxels). Errors of propagation add up from slice to slice in
    one direction, so far slices do not only err more, they all err alike.
    """

    name = "pseudo"
    summary = "plus propagated pseudo-labels, soft, weighted by reliability"
    Config = PseudoConfig
    needs_pseudo_label = True

    def training_step(self, batch: Batch, context: StepContext) -> StepLosses:
        """See `Method.training_step`."""
        logits = context.predict(batch.image)
        loss = pseudo_label_loss(logits, batch, self.config)
        return {"loss": loss}


def pseudo_label_loss(logits: Tensor, batch: Batch, config: PseudoConfig) -> Tensor:
    """The supervised part that every method built on propagated labels shares.

    Args:
        logits: ``(B, C, X, Y, Z)`` float32 of the batch's image.
        batch: patches with a propagated label; others have reliability 0 and do not count.
        config: see `PseudoConfig`.
    """
    weight = batch.reliability.pow(config.reliability_power) * (batch.reliability > 0)
    # capped: without a label the distance is infinite, and the reliability 0
    weight = weight * config.distance_decay ** batch.distance.clamp(max=1e4)
    weight = weight.masked_fill(batch.annotated, config.truth_weight)
    return segmentation_loss(logits, batch.pseudo_label, weight, dice_weight=config.dice_weight)
