"""The constants of `spss.methods.spss.Spss`."""

from __future__ import annotations

from dataclasses import dataclass, field

from spss.methods.trust import TrustConfig


@dataclass(frozen=True)
class SpssConfig(TrustConfig):
    """Constants of `Spss`."""

    dice_weight: float = field(
        default=1.0, metadata={"help": "Dice beside cross-entropy; 1 in nnU-Net's compound loss"}
    )
    consistency_weight: float = field(
        default=1.0, metadata={"help": "largest weight of the teacher on voxels it may teach"}
    )
    teacher_trust: float = field(
        default=1 / 3,
        metadata={"help": "trust in a voxel of a certain teacher, against a propagated one"},
    )
    ramp_start: float = field(
        default=0.5, metadata={"help": "the teacher teaches from this share of the training on"}
    )
    start_age: float = field(
        default=0.625, metadata={"help": "or from this age of the propagated labels, if sooner"}
    )
    ramp_length: float = field(
        default=0.6,
        metadata={"help": "time over which its weight grows, against the time before it taught"},
    )
    unlabelled_share: float = field(
        default=0.5,
        metadata={
            "help": "share of a batch without a label once the teacher teaches, at least one"
        },
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
    registration_steps: int = field(
        default=0,
        metadata={"help": "feedback: steps in which registration learns refined labels; SPSS: 20"},
    )
