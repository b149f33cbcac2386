"""A registration network, trained without labels on neighbouring slices of the user's volumes.

VoxelMorph in 2-D (Balakrishnan et al., TMI 2019) as PLN and SPSS use it, without their defects: the
zero field is the exact identity, the field is smooth, and it can be made diffeomorphic.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from monai.losses import LocalNormalizedCrossCorrelationLoss
from monai.networks.blocks import DVF2DDF, Warp
from monai.networks.nets import UNet
from numpy.typing import NDArray
from torch import Tensor

from spss.errors import InputError
from spss.propagation.fields import Field
from spss.propagation.registration import carry_along_fields
from spss.propagation.stack import Carried, DrawnSlice, Stack, scale_intensities
from spss.types import ImageArray

_MULTIPLE = 16
"""The U-Net halves four times: sides are padded to a multiple of this."""


@dataclass(frozen=True, kw_only=True)
class RegistrationConfig:
    """What the registration network is and how it is trained.

    Attributes:
        channels: features of the U-Net's levels (VoxelMorph: 16-32-32-32).
        diffeomorphic: integrate a velocity field in seven squarings instead of predicting the
            displacement itself.
        smoothness: weight of the displacement's diffusion energy (VoxelMorph: 0.01 for MSE).
        correlation: weight of local normalised cross-correlation beside MSE.
        dice: weight of the Dice of warped soft labels, when training has some (METHODS 1.2.4).
        learning_rate: Adam's.
        batch: slice pairs a step.
    """

    channels: tuple[int, ...] = (16, 32, 32, 32, 32)
    diffeomorphic: bool = False
    smoothness: float = 0.01
    correlation: float = 0.02
    dice: float = 0.2
    learning_rate: float = 1e-3
    batch: int = 16


class RegistrationNetwork(torch.nn.Module):
    """Predicts where a target slice finds its values in a source slice.

    Args:
        config: architecture and training constants.
    """

    def __init__(self, config: RegistrationConfig | None = None) -> None:
        super().__init__()
        self.config = config or RegistrationConfig()
        depth = len(self.config.channels) - 1
        self.net = UNet(
            2,
            2,
            2,
            self.config.channels,
            (2,) * depth,
            num_res_units=1,
            norm=("instance", {"affine": True}),
        )
        # starts at the identity: a random first field would have to be unlearned
        for parameter in list(self.net.parameters())[-2:]:
            torch.nn.init.normal_(parameter, 0.0, 1e-5)
        with warnings.catch_warnings():
            # it announces that it uses the sampler that aligns corners: that is what we want
            warnings.simplefilter("ignore")
            self.warp = Warp("bilinear", "border")
            self.integrate = DVF2DDF(num_steps=7) if self.config.diffeomorphic else None

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        """``(N, 1, H, W)`` twice → ``(N, 2, H, W)`` displacement in pixels, rows then columns."""
        height, width = target.shape[-2:]
        pad = (0, -width % _MULTIPLE, 0, -height % _MULTIPLE)
        pair = torch.nn.functional.pad(torch.cat([target, source], 1), pad, mode="replicate")
        flow = self.net(pair)[..., :height, :width]
        return flow if self.integrate is None else self.integrate(flow)

    def save(self, path: Path) -> None:
        """Writes weights and config, atomically."""
        waiting = path.with_name(path.name + ".part")
        torch.save({"config": asdict(self.config), "state": self.state_dict()}, waiting)
        waiting.replace(path)

    @classmethod
    def load(cls, path: Path) -> RegistrationNetwork:
        """Raises InputError if the file is not a registration network."""
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            saved["config"]["channels"] = tuple(saved["config"]["channels"])
            network = cls(RegistrationConfig(**saved["config"]))
            network.load_state_dict(saved["state"])
        except Exception as error:
            msg = f"{path} does not hold a registration network ({error}): train one first."
            raise InputError(msg) from error
        return network.eval()


def train_registration(
    images: Sequence[ImageArray],
    *,
    network: RegistrationNetwork | None = None,
    axes: Sequence[int] = (0, 1, 2),
    steps: int = 400,
    seconds: float | None = None,
    soft_labels: Sequence[NDArray[np.float32]] | None = None,
    seed: int = 0,
) -> RegistrationNetwork:
    """Trains on pairs of neighbouring slices, without labels unless some are given.

    Args:
        images: ``(I, J, K)`` volumes; more volumes make a network that needs no retraining.
        network: to go on from; None starts a new one.
        axes: slice directions to learn.
        steps: Adam steps.
        seconds: stop earlier after this time (fine-tuning on a new volume).
        soft_labels: ``(C, I, J, K)`` per image; adds the Dice of warped labels, which is how
            training the segmenter refines the registration (METHODS 1.2 step 4).
        seed: draws the pairs.
    """
    torch.manual_seed(seed)
    network = network or RegistrationNetwork()
    rng = np.random.default_rng(seed)
    volumes = [scale_intensities(image) for image in images]
    optimiser = torch.optim.Adam(network.parameters(), lr=network.config.learning_rate)
    loss = _RegistrationLoss(network)
    network.train()
    until = None if seconds is None else time.monotonic() + seconds
    for _ in range(steps):
        target, source, labels = _draw(volumes, soft_labels, axes, network.config.batch, rng)
        value = loss(target, source, labels)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        if until is not None and time.monotonic() > until:
            break
    return network.eval()


@dataclass(frozen=True, kw_only=True)
class LearnedPropagator:
    """Carries a drawn slice along the fields of a registration network.

    Attributes:
        network: a trained one; without it one is fitted to the volume at hand.
        fit_steps: steps of that fit.
        batch: slice pairs registered at once.
    """

    network: RegistrationNetwork | None = None
    fit_steps: int = 200
    batch: int = 32
    seed: int = 0
    device: str = field(default_factory=lambda: "cuda" if torch.cuda.is_available() else "cpu")

    name = "learned"

    def carry(self, stack: Stack, drawn: tuple[DrawnSlice, ...]) -> list[Carried]:
        """One result per drawn slice."""
        network = self.network
        if network is None:
            network = train_registration(
                [stack.slices], axes=(0,), steps=self.fit_steps, seed=self.seed
            )

        def register(stack: Stack, pairs: list[tuple[int, int]]) -> list[Field]:
            return self._register(network.to(self.device), stack, pairs)

        return carry_along_fields(stack, drawn, register)

    def _register(
        self, network: RegistrationNetwork, stack: Stack, pairs: list[tuple[int, int]]
    ) -> list[Field]:
        slices = torch.from_numpy(np.ascontiguousarray(stack.slices))[:, None]
        fields: list[Field] = []
        with torch.inference_mode():
            for start in range(0, len(pairs), self.batch):
                part = pairs[start : start + self.batch]
                target = slices[[pair[0] for pair in part]].to(self.device)
                source = slices[[pair[1] for pair in part]].to(self.device)
                found = network(target, source).flip(1).permute(0, 2, 3, 1)
                fields.extend(np.ascontiguousarray(each) for each in found.cpu().numpy())
        return fields


class _RegistrationLoss:
    """MSE + LNCC + diffusion energy, and the Dice of warped labels where there are labels."""

    def __init__(self, network: RegistrationNetwork) -> None:
        self.network = network
        self.correlation = LocalNormalizedCrossCorrelationLoss(2, kernel_size=7)

    def __call__(
        self, target: Tensor, source: Tensor, labels: tuple[Tensor, Tensor] | None
    ) -> Tensor:
        config = self.network.config
        flow = self.network(target, source)
        warped = self.network.warp(source, flow)
        loss = torch.nn.functional.mse_loss(warped, target) + config.smoothness * _diffusion_energy(
            flow
        )
        loss = loss + config.correlation * self.correlation(warped, target)
        if labels is not None:
            moved = self.network.warp(labels[1], flow)
            overlap = 2 * (moved * labels[0]).sum((0, 2, 3))
            total = (moved**2 + labels[0] ** 2).sum((0, 2, 3))
            loss = loss + config.dice * (1 - ((overlap + 1) / (total + 1)).mean())
        return loss


def _diffusion_energy(flow: Tensor) -> Tensor:
    """Mean squared difference of neighbouring displacements (MONAI's loss warns on new torch)."""
    return flow.diff(dim=2).square().mean() + flow.diff(dim=3).square().mean()


def _draw(
    volumes: list[NDArray[np.float32]],
    soft_labels: Sequence[NDArray[np.float32]] | None,
    axes: Sequence[int],
    batch: int,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor] | None]:
    """Neighbouring pairs of one volume and axis, either way round."""
    which = int(rng.integers(len(volumes)))
    axis = int(rng.choice([axis for axis in axes if volumes[which].shape[axis] > 1] or [axes[0]]))
    slices = np.moveaxis(volumes[which], axis, 0)
    first = rng.integers(0, max(1, len(slices) - 1), batch)
    second = np.minimum(first + 1, len(slices) - 1)
    swap = rng.random(batch) < 0.5
    to, at = np.where(swap, first, second), np.where(swap, second, first)
    pick = lambda maps, index: torch.from_numpy(np.ascontiguousarray(maps[index]))  # noqa: E731
    labels = None
    if soft_labels is not None:
        maps = np.moveaxis(np.moveaxis(soft_labels[which], axis + 1, 0), 1, 1)
        labels = (pick(maps, to), pick(maps, at))
    return pick(slices, to)[:, None], pick(slices, at)[:, None], labels
