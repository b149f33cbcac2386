"""PLN: labels that move from propagation to the teacher, and a plain mean teacher."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from spss.methods.batch import Batch
from spss.methods.method import Method, StepContext, StepLosses
from spss.methods.refined import RefinedConfig, nominal_iteration, refined_supervision
from spss.selfpaced import Pace


@dataclass(frozen=True)
class PlnConfig(RefinedConfig):
    """Constants of `Pln`."""

    consistency_weight: float = field(
        default=0.1, metadata={"help": "c at the end of its ramp; UA-MT and PLN: 0.1"}
    )
    noise: float = field(
        default=0.1,
        metadata={"help": "sd of the teacher's noise, clipped at twice that; UA-MT: 0.1"},
    )


class Pln(Method):
    """Li et al., "PLN: parasitic-like network for barely supervised segmentation", TMI 2023.

    L = L_sup + c(t) mean_v mean_c (p - p_teacher(x + noise))² over all volumes of the batch, with
    L_sup on refined labels (`refined_supervision`). The defects of the released code are fixed:
    float weights, every annotated plane counts and is in its patch, N classes. The registration is
    the library's and does not learn further from the refined labels.
    """

    name = "pln"
    summary = "PLN: refined propagated labels and a plain mean teacher (TMI 2023, defects fixed)"
    Config = PlnConfig
    needs_pseudo_label = True
    needs_unlabelled = True

    def composition(self, fraction: float, batch_size: int) -> tuple[int, int]:
        """Half of a batch is unlabelled, as published (2 + 2)."""
        del fraction
        return max(1, batch_size // 2), max(1, batch_size // 2)

    def training_step(self, batch: Batch, context: StepContext) -> StepLosses:
        """See `Method.training_step`."""
        config = self.config
        noise = config.noise * context.noise_like(batch.image)
        teacher = context.teach(batch.image + noise.clamp(-2 * config.noise, 2 * config.noise))
        logits = context.predict(batch.image)
        supervised = refined_supervision(logits, batch, teacher, context.fraction, config)
        weight = Pace(weight_end=config.consistency_weight).weight(
            nominal_iteration(context.fraction)
        )
        squared = (logits.softmax(1) - teacher).square().mean(1)
        consistency = (squared * batch.valid).sum() / batch.valid.sum().clamp_min(1)
        return {
            "loss": supervised + weight * consistency,
            "supervised": supervised.detach(),
            "consistency": consistency.detach(),
            "consistency_weight": torch.tensor(weight),
        }
