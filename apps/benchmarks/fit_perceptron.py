"""Fits a perceptron of the learned end rule.

A soft Dice loss of each structure stands beside the cross-entropy of voxels, and the weights of the
last steps are averaged (Izmailov et al., UAI 2018). docs/research.md says what each is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from spss.propagation.evidence import FEATURES
from spss.propagation.perceptron import Perceptron

HIDDEN = (256, 64)
NOISE = 0.1
"""Standard deviation of the noise on the standardised evidence: structures are few, voxels many."""

DICE_SHARE = 1.0
"""Weight of each structure's soft Dice loss beside the cross-entropy of voxels."""

STRUCTURES = 24
"""Structures in a step."""

VOXELS = 48
"""Voxels of each of them in a step."""

AVERAGED = 1 / 3
"""Share of the steps, the last, whose weights are averaged."""


@dataclass(frozen=True)
class Samples:
    """Evidence and truth of voxels of many structures.

    Attributes:
        features: ``(structures, voxels, features)`` float32.
        truth: ``(structures, voxels)`` float32, 0…1.
        weight: ``(structures,)`` how often a structure is drawn.
    """

    features: NDArray[np.float32]
    truth: NDArray[np.float32]
    weight: NDArray[np.float32]


def fit(samples: Samples, steps: int, seed: int = 0) -> Perceptron:
    """Adam, cosine decay, averaged last weights; the standardisation goes into the first layer."""
    chance = torch.Generator().manual_seed(seed)
    features, truth = torch.from_numpy(samples.features), torch.from_numpy(samples.truth)
    deviation, mean = torch.std_mean(features.flatten(0, 1), dim=0)
    deviation = deviation + 1e-2
    weight = torch.from_numpy(samples.weight)
    torch.manual_seed(seed)
    sizes = (len(FEATURES), *HIDDEN, 1)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    net = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    average = torch.optim.swa_utils.AveragedModel(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        whose = torch.multinomial(weight, STRUCTURES, replacement=True, generator=chance)[:, None]
        which = torch.randint(0, features.shape[1], (STRUCTURES, VOXELS), generator=chance)
        seen = ((features[whose, which] - mean) / deviation).flatten(0, 1)
        seen = seen + NOISE * torch.randn(seen.shape, generator=chance)
        target = truth[whose, which].flatten()
        logits = net(seen)[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
        loss = loss + DICE_SHARE * _dice_loss(logits, target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step >= steps * (1 - AVERAGED):
            average.update_parameters(net)
    kept = [layer for layer in average.module if isinstance(layer, torch.nn.Linear)]
    return _with_scale(kept, mean.numpy(), deviation.numpy())


def _dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """One minus the soft Dice of each structure's voxels (Milletari et al., 3DV 2016), averaged."""
    said, truth = logits.sigmoid().reshape(STRUCTURES, -1), target.reshape(STRUCTURES, -1)
    overlap = 2 * (said * truth).sum(1) + 1
    return (1 - overlap / (said.sum(1) + truth.sum(1) + 1)).mean()


def _with_scale(
    layers: Sequence[torch.nn.Linear], mean: NDArray[np.float32], deviation: NDArray[np.float32]
) -> Perceptron:
    """The layers, the first on evidence as it is instead of standardised."""
    weights = [layer.weight.detach().numpy().T.copy() for layer in layers]
    biases = [layer.bias.detach().numpy().copy() for layer in layers]
    biases[0] -= (mean / deviation) @ weights[0]
    weights[0] /= deviation[:, None]
    return Perceptron(tuple(weights), tuple(biases))
