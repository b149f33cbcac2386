"""The floor: learn from annotated voxels and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

from spss.methods.batch import Batch
from spss.methods.losses import one_hot, segmentation_loss
from spss.methods.method import Method, StepContext, StepLosses


@dataclass(frozen=True)
class MaskedConfig:
    """Constants of `Masked`."""

    dice_weight: float = field(
        default=1.0, metadata={"help": "Dice beside cross-entropy; 1 in nnU-Net's compound loss"}
    )


class Masked(Method):
    """nnU-Net's ``ignore``: cross-entropy and Dice over annotated voxels only.

    L = CE(A) + Dice(A), A the voxels a person decided.
    """

    name = "masked"
    summary = "annotated voxels only (nnU-Net's ignore label)"
    Config = MaskedConfig

    def training_step(self, batch: Batch, context: StepContext) -> StepLosses:
        """See `Method.training_step`."""
        logits = context.predict(batch.image)
        loss = segmentation_loss(
            logits,
            one_hot(batch.truth, self.class_count),
            batch.annotated.float(),
            dice_weight=self.config.dice_weight,
        )
        return {"loss": loss}
