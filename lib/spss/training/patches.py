"""One augmented patch of one volume, from a seed alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from spss.training.augmentation import (
    AugmentationConfig,
    change_intensity,
    random_bend,
    random_matrix,
)
from spss.training.case import PreparedCase
from spss.training.placement import Placement, place_patch, sample
from spss.training.plan import Plan
from spss.types import UNDECIDED

CLASS_SHARE = 0.5
"""Share of labelled patches placed on a random class instead of on any annotated voxel (nnU-Net
forces foreground into a third of the batch; planes hold mostly background)."""


@dataclass(frozen=True)
class PatchCutter:
    """Cuts patches as the plan says, with annotated voxels in every one of a labelled volume.

    Attributes:
        plan: patch size, spacing and turns.
        class_count: classes the network knows.
        device: where patches are made.
        config: ranges of the random changes.
    """

    plan: Plan
    class_count: int
    device: torch.device
    config: AugmentationConfig = field(default_factory=AugmentationConfig)

    def cut(self, case: PreparedCase, seed: int) -> dict[str, Tensor]:
        """Tensors of one row of a `spss.methods.Batch`; the same seed gives the same patch."""
        random = torch.Generator().manual_seed(seed)
        noise = torch.Generator(self.device).manual_seed(seed)
        placement, truth = self._place(case, random)
        valid = placement.inside(_shape(case))
        truth = torch.where(valid, truth, UNDECIDED)
        image, *soft = self._sample_maps(case, placement)
        image = change_intensity(image, self.config, random, noise)
        patch = {"image": (image * valid)[None], "truth": truth, "valid": valid}
        return patch | self._soft_maps(soft, truth, valid)

    def _sample_maps(self, case: PreparedCase, placement: Placement) -> Tensor:
        """Image and soft maps in one interpolation; only what the patch touches is converted."""
        if case.soft is None:
            return sample(case.image[None], placement)
        box, _ = placement.window(_shape(case))
        parts = [case.image[None][box], case.soft[box]]
        return sample(torch.cat([part.float() for part in parts]), placement, box_of=_shape(case))

    def _soft_maps(self, soft: list[Tensor], truth: Tensor, valid: Tensor) -> dict[str, Tensor]:
        """Pseudo-label, reliability and distance, with the truth where somebody decided."""
        if soft:
            *probabilities, reliability, distance = soft
            pseudo = torch.stack(probabilities)
            reliability = reliability * valid
        else:
            pseudo = torch.zeros((self.class_count, *truth.shape), device=self.device)
            reliability = torch.zeros(truth.shape, device=self.device)
            distance = torch.full(truth.shape, torch.inf, device=self.device)
        places = (truth != UNDECIDED).nonzero(as_tuple=True)
        classes = truth[places]
        for value in range(self.class_count):
            pseudo[value][places] = (classes == value).float()
        reliability[places] = 1.0
        distance[places] = 0.0
        return {"pseudo_label": pseudo, "reliability": reliability, "distance": distance}

    def _place(self, case: PreparedCase, random: torch.Generator) -> tuple[Placement, Tensor]:
        """A random placement whose patch holds an annotated voxel, and its truth map."""
        centre = self._centre(case, random)
        placement = self._deform(centre, random)
        truth = sample(case.truth[None], placement, nearest=True)[0].long()
        if case.is_labelled and not ((truth != UNDECIDED) & placement.inside(_shape(case))).any():
            # turned out of the patch: take it as it lies
            placement = place_patch(centre.to(self.device), self.plan.patch_size)
            truth = sample(case.truth[None], placement, nearest=True)[0].long()
        return placement, truth

    def _deform(self, centre: Tensor, random: torch.Generator) -> Placement:
        """Where the patch lies, turned and bent in most cases."""
        plan, config = self.plan, self.config
        if _uniform(random) >= config.spatial:
            return place_patch(centre.to(self.device), plan.patch_size)
        matrix = random_matrix(
            config,
            rotation_degrees=plan.rotation_degrees,
            spacing_mm=plan.spacing_mm,
            generator=random,
        )
        bend = random_bend(config, plan.patch_size, spacing_mm=plan.spacing_mm, generator=random)
        return place_patch(
            centre.to(self.device),
            plan.patch_size,
            matrix=matrix.to(self.device),
            bend=bend.to(self.device),
        )

    def _centre(self, case: PreparedCase, random: torch.Generator) -> Tensor:
        """Centre of the patch: near a chosen annotated voxel, inside the volume where it can be."""
        shape = torch.tensor(case.image.shape, dtype=torch.float32)
        patch = torch.tensor(self.plan.patch_size, dtype=torch.float32)
        chance = torch.rand(3, generator=random)
        middle = (shape - 1) / 2
        slack = (shape - patch) / 2
        room = torch.where(slack > 0, slack, torch.minimum(self.config.shift * patch, -slack))
        anywhere = middle + (2 * chance - 1) * room
        if not case.is_labelled:
            return anywhere
        near = _annotated_voxel(case, random) + (chance - 0.5) * patch / 2
        near = torch.minimum(torch.maximum(near, middle - room), middle + room)
        return torch.where(slack > 0, near, anywhere)


def _annotated_voxel(case: PreparedCase, random: torch.Generator) -> Tensor:
    """A position that a person decided, often of a rare class."""
    voxels = case.annotated
    if _uniform(random) < CLASS_SHARE:
        classes = case.truth[voxels[:, 0], voxels[:, 1], voxels[:, 2]]
        present = classes.unique()
        chosen = present[int(_uniform(random) * len(present))]
        voxels = voxels[classes == chosen]
    return voxels[int(_uniform(random) * len(voxels))].float()


def _shape(case: PreparedCase) -> tuple[int, int, int]:
    first, second, third = case.image.shape
    return first, second, third


def _uniform(random: torch.Generator) -> float:
    return float(torch.rand((), generator=random))
