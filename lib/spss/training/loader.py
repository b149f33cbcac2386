"""Endless batches of augmented patches, annotated voxels in every labelled one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from spss.methods import Batch
from spss.training.augmentation import (
    AugmentationConfig,
    Placement,
    change_intensity,
    place_patch,
    random_bend,
    random_matrix,
    sample,
)
from spss.training.case import PreparedCase
from spss.training.plan import Plan
from spss.training.sampler import ShuffledStream
from spss.types import UNDECIDED

CLASS_SHARE = 0.5
"""Share of labelled patches placed on a random class instead of on any annotated voxel (nnU-Net
forces foreground into a third of the batch; planes hold mostly background)."""


class BatchLoader:
    """Iterable of batches; its state is two generators and two queues.

    Args:
        cases: prepared volumes.
        plan: patch size, spacing and turns.
        class_count: classes the network knows.
        composition: returns the labelled and unlabelled patches of the next batch.
        seed: of everything random here.
        device: where batches are made.
        augmentation: ranges of the random changes.
    """

    def __init__(
        self,
        cases: list[PreparedCase],
        plan: Plan,
        *,
        class_count: int,
        composition: Callable[[], tuple[int, int]],
        seed: int,
        device: torch.device,
        augmentation: AugmentationConfig | None = None,
    ) -> None:
        self.cases = cases
        self.plan = plan
        self.class_count = class_count
        self.composition = composition
        self.device = device
        self.config = augmentation or AugmentationConfig()
        self._choices = torch.Generator().manual_seed(seed)
        self._noise = torch.Generator(device).manual_seed(seed + 1)
        labelled = [index for index, case in enumerate(cases) if case.is_labelled]
        unlabelled = [index for index, case in enumerate(cases) if not case.is_labelled]
        self._labelled = ShuffledStream(labelled, self._choices)
        self._unlabelled = ShuffledStream(unlabelled, self._choices)

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.next_batch()

    def next_batch(self) -> Batch:
        """One batch, labelled patches first."""
        labelled, unlabelled = self.composition()
        chosen = self._labelled.take(labelled) + self._unlabelled.take(unlabelled)
        patches = [self._patch(self.cases[index]) for index in chosen]
        stacked = {key: torch.stack([patch[key] for patch in patches]) for key in patches[0]}
        names = tuple(self.cases[index].name for index in chosen)
        return Batch(names=names, spacing_mm=self.plan.spacing_mm, **stacked)

    def state_dict(self) -> dict[str, Any]:
        """Generators and queues."""
        return {
            "choices": self._choices.get_state(),
            "noise": self._noise.get_state(),
            "labelled": self._labelled.state_dict(),
            "unlabelled": self._unlabelled.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what ``state_dict`` returned."""
        self._choices.set_state(state["choices"])
        self._noise.set_state(state["noise"])
        self._labelled.load_state_dict(state["labelled"])
        self._unlabelled.load_state_dict(state["unlabelled"])

    def _patch(self, case: PreparedCase) -> dict[str, Tensor]:
        placement, truth = self._place(case)
        valid = placement.inside(case.image.shape)  # type: ignore[arg-type]
        maps = case.image[None] if case.soft is None else torch.cat([case.image[None], case.soft])
        image, *soft = sample(maps, placement)
        image = change_intensity(image, self.config, self._choices, self._noise)
        truth = torch.where(valid, truth, UNDECIDED)
        patch = {"image": (image * valid)[None], "truth": truth, "valid": valid}
        return patch | self._soft_maps(soft, truth, valid)

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

    def _place(self, case: PreparedCase) -> tuple[Placement, Tensor]:
        """A random placement whose patch holds an annotated voxel, and its truth map."""
        centre = self._centre(case)
        placement = self._deform(centre)
        truth = sample(case.truth[None], placement, nearest=True)[0].long()
        if case.is_labelled:
            seen = (truth != UNDECIDED) & placement.inside(case.image.shape)  # type: ignore[arg-type]
            if not seen.any():  # turned out of the patch: take it as it lies
                placement = place_patch(centre.to(self.device), self.plan.patch_size)
                truth = sample(case.truth[None], placement, nearest=True)[0].long()
        return placement, truth

    def _deform(self, centre: Tensor) -> Placement:
        plan, config = self.plan, self.config
        if self._uniform() >= config.spatial:
            return place_patch(centre.to(self.device), plan.patch_size)
        matrix = random_matrix(
            config,
            rotation_degrees=plan.rotation_degrees,
            spacing_mm=plan.spacing_mm,
            turn_plane=plan.turn_plane,
            generator=self._choices,
        )
        bend = random_bend(
            config, plan.patch_size, spacing_mm=plan.spacing_mm, generator=self._choices
        )
        return place_patch(
            centre.to(self.device),
            plan.patch_size,
            matrix=matrix.to(self.device),
            bend=bend.to(self.device),
        )

    def _centre(self, case: PreparedCase) -> Tensor:
        """Centre of the patch: near a chosen annotated voxel, inside the volume where it can be."""
        shape = torch.tensor(case.image.shape, dtype=torch.float32)
        patch = torch.tensor(self.plan.patch_size, dtype=torch.float32)
        chance = torch.rand(3, generator=self._choices)
        middle = (shape - 1) / 2
        slack = (shape - patch) / 2
        room = torch.where(slack > 0, slack, torch.minimum(self.config.shift * patch, -slack))
        anywhere = middle + (2 * chance - 1) * room
        if not case.is_labelled:
            return anywhere
        near = self._annotated_voxel(case) + (chance - 0.5) * patch / 2
        near = torch.minimum(torch.maximum(near, middle - room), middle + room)
        return torch.where(slack > 0, near, anywhere)

    def _annotated_voxel(self, case: PreparedCase) -> Tensor:
        voxels = case.annotated
        if self._uniform() < CLASS_SHARE:
            classes = case.truth[voxels[:, 0], voxels[:, 1], voxels[:, 2]]
            present = classes.unique()
            chosen = present[int(self._uniform() * len(present))]
            voxels = voxels[classes == chosen]
        return voxels[int(self._uniform() * len(voxels))].float()

    def _uniform(self) -> float:
        return float(torch.rand((), generator=self._choices))
