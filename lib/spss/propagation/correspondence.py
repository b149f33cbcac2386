"""Affinity propagation between neighbouring slices (Sli2Vol, Yeung et al., MICCAI 2021).

No field and no folding: every pixel of the next slice takes its class from the pixels of this
slice that look like it, within a window. Topology may change freely; what is carried is made hard
again on every slice, as in Sli2Vol, or it would blur; it drifts where a composed field does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from spss.propagation.correspondence_network import CorrespondenceNetwork, affinity_warp
from spss.propagation.correspondence_training import train_correspondence
from spss.propagation.stack import Carried, DrawnSlice, Stack

_TOLD = 0.9
"""Share of a class's drawn pixels that its own verification has to keep."""


@dataclass(frozen=True, kw_only=True)
class CorrespondencePropagator:
    """Carries a drawn slice by learned affinities.

    Attributes:
        network: a trained one; without it one is fitted to the volume at hand.
        fit_steps: label-free training steps of that fit.
        verify: keep a pixel only if its intensity is nearer the mean inside the previous slice's
            mask than the mean of the ring around it (Sli2Vol's verification), for classes of which
            the drawn plane shows that intensity tells.
        ring: width of that ring in pixels (Sli2Vol: 5).
        seed: draws the slices to train on.
    """

    network: CorrespondenceNetwork | None = None
    fit_steps: int = 60
    verify: bool = True
    ring: int = 5
    seed: int = 0

    name = "correspondence"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        slices = torch.from_numpy(np.ascontiguousarray(stack.slices))[:, None]
        network = self.network
        if network is None:
            network = train_correspondence(
                [stack.slices], axes=(0,), steps=self.fit_steps, seed=self.seed
            )
        return [self._carry_one(stack, slices, each, network) for each in drawn]

    def _carry_one(
        self, stack: Stack, slices: Tensor, drawn: DrawnSlice, network: CorrespondenceNetwork
    ) -> Carried:
        """Slice by slice away from the plane, each from the one that was carried before it."""
        probabilities = np.zeros((drawn.one_hot.shape[0], *stack.shape), np.float32)
        warped = np.zeros(stack.shape, np.float32)
        probabilities[:, drawn.index] = drawn.one_hot
        warped[drawn.index] = stack.slices[drawn.index]
        one_hot, start = torch.from_numpy(drawn.one_hot), slices[drawn.index]
        told = told_by_intensity(one_hot, start[0], self.ring) if self.verify else ()
        with torch.inference_mode():
            for step in (1, -1):
                end = drawn.last if step > 0 else drawn.first
                maps, before = torch.cat([one_hot, start])[None], network(start[None])
                for index in range(drawn.index + step, end + step, step):
                    here = network(slices[index : index + 1])
                    moved = affinity_warp(here, before, maps, network.config.radius)
                    soft, image = moved[0, :-1], slices[index, 0]
                    for value in told:
                        mask, previous = maps[0, value] > 0.5, slices[index - step, 0]
                        soft = _without(
                            soft, value, ~looks_inside(image, mask, previous, self.ring)
                        )
                    probabilities[:, index] = soft.numpy()
                    warped[index] = moved[0, -1].numpy()
                    maps, before = torch.cat([_hardened(soft), moved[0, -1:]])[None], here
        return Carried(probabilities=probabilities, warped=warped)


def told_by_intensity(one_hot: Tensor, image: Tensor, ring: int) -> tuple[int, ...]:
    """Classes whose drawn pixels nearly all look like the class, not like what surrounds it.

    Where intensity does not even tell what was drawn from its surroundings it cannot verify what
    was carried.

    Args:
        one_hot: ``(C, H, W)`` as drawn.
        image: ``(H, W)`` of the same slice.
        ring: width of the surroundings in pixels.
    """
    told = []
    for value in range(1, len(one_hot)):
        mask = one_hot[value] > 0.5
        kept = looks_inside(image, mask, image, ring)[mask]
        if float(kept.float().mean()) > _TOLD:  # never true of a class that was not drawn
            told.append(value)
    return tuple(told)


def looks_inside(image: Tensor, mask: Tensor, previous: Tensor, ring: int) -> Tensor:
    """``(H, W)`` bool: intensity nearer the mean inside a mask than that of the ring around it.

    Args:
        image: ``(H, W)`` slice to judge.
        mask: ``(H, W)`` bool on the slice before.
        previous: ``(H, W)`` that slice.
        ring: width of the surroundings in pixels.
    """
    wide = functional.max_pool2d(mask[None].float(), 2 * ring + 1, 1, ring)[0] > 0.5
    around = wide & ~mask
    if not mask.any() or not around.any():
        return torch.ones_like(mask)
    middle, outside = previous[mask].mean(), previous[around].mean()
    return (image - middle).abs() <= (image - outside).abs()


def _without(soft: Tensor, value: int, where: Tensor) -> Tensor:
    """``(C, H, W)`` with half of a class handed back to background at some pixels."""
    soft = soft.clone()
    lost = soft[value] * where * 0.5
    soft[value] -= lost
    soft[0] += lost
    return soft


def _hardened(soft: Tensor) -> Tensor:
    """``(C, H, W)`` one-hot: soft maps, carried on, would blur with every slice."""
    return functional.one_hot(soft.argmax(0), len(soft)).permute(2, 0, 1).to(soft.dtype)
