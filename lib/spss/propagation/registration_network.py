"""A 2-D registration network: which places of one slice are found again on the next.

VoxelMorph (Balakrishnan et al., TMI 2019) as PLN and SPSS use it, without their defects: the zero
field is the exact identity, the field is smooth, and it can be made diffeomorphic.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar

import torch
from monai.networks.blocks import DVF2DDF, Warp
from monai.networks.nets import UNet
from torch import Tensor

from spss.propagation.saved_network import SavedNetwork

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
        dice: weight of the Dice of warped soft labels, when training has some (PLN, SPSS).
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


class RegistrationNetwork(SavedNetwork):
    """Predicts where a target slice finds its values in a source slice.

    Args:
        config: architecture and training constants.
    """

    kind: ClassVar[str] = "registration network"
    Config: ClassVar[type] = RegistrationConfig
    config: RegistrationConfig

    def __init__(self, config: RegistrationConfig | None = None) -> None:
        super().__init__(config)
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
