"""A network that answers with logits and, where a loss needs them, with decoder features."""

from __future__ import annotations

from typing import Any, cast

import torch
from monai.networks.nets import DynUNet, UNet
from torch import Tensor, nn

from spss.errors import InputError
from spss.networks.architecture import Architecture

SLOPE = 0.01
"""Of the leaky rectifiers below zero (nnU-Net)."""


class Segmenter(nn.Module):
    """A MONAI network plus an optional projection head on the features of one decoder level.

    Args:
        backbone: network from ``(B, 1, X, Y, Z)`` to ``(B, C, X, Y, Z)``.
        decoder_level: module whose output is taken as decoder features.
        feature_channels: channels of that output.
        embedding_channels: channels of the projection; 0 = no head.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        decoder_level: nn.Module,
        feature_channels: int,
        embedding_channels: int = 0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = _projector(feature_channels, embedding_channels)
        self._features: list[Tensor] = []
        decoder_level.register_forward_hook(self._keep_features)

    def forward(self, image: Tensor, embed: bool = False) -> Any:
        """Logits ``(B, C, X, Y, Z)``; with ``embed`` also the projection ``(B, E, x, y, z)``.

        The projection is on the grid of the decoder level, which is coarser than the image.
        """
        self._features.clear()
        logits = self.backbone(image)
        features = self._features.pop()
        if not embed:
            return logits
        if self.projector is None:
            msg = "This network was built without a projection head (embedding_channels=0)."
            raise ValueError(msg)
        return logits, self.projector(features)

    def _keep_features(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        del module, inputs
        self._features.append(output)


def build_segmenter(
    architecture: Architecture, *, class_count: int, embedding_channels: int = 0, seed: int = 0
) -> Segmenter:
    """Builds the planned network with weights drawn from ``seed``.

    Args:
        architecture: see `Architecture`.
        class_count: output channels, background included.
        embedding_channels: channels of the projection head; 0 = none.
        seed: of the initial weights; the global generator is left as it was.

    Raises:
        InputError: if the family is unknown.
    """
    builders = {"unet": _unet, "dynunet": _dynunet}
    if architecture.family not in builders:
        msg = f"There is no network {architecture.family!r}: choose one of {', '.join(builders)}."
        raise InputError(msg)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone, level, channels = builders[architecture.family](architecture, class_count)
        return Segmenter(
            backbone,
            decoder_level=level,
            feature_channels=channels,
            embedding_channels=embedding_channels,
        )


def _unet(plan: Architecture, class_count: int) -> tuple[nn.Module, nn.Module, int]:
    """MONAI's UNet up to ``head_channels`` features at full resolution, then a 1x1x1 convolution.

    Asked for the classes directly, that network squeezes everything through one normalised
    map per class at full resolution: with three classes one seed in three got stuck there
    (hippocampus, dense labels, 300 steps: mean test Dice 0.52 where eight features give 0.86).
    """
    if not plan.strides:  # a volume too small to halve: MONAI's UNet needs two levels
        raise InputError("A U-Net needs at least two resolution levels.")
    width = max(plan.head_channels, class_count)
    decoder = UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=width,
        channels=plan.channels,
        strides=plan.strides,  # type: ignore[arg-type]
        kernel_size=plan.kernels[0],
        up_kernel_size=plan.kernels[0],
        num_res_units=plan.residual_units,
        act=("leakyrelu", {"negative_slope": SLOPE, "inplace": True}),
        norm=("instance", {"affine": True}),  # affine as in nnU-Net
    )
    classifier = nn.Conv3d(width, class_count, kernel_size=1)
    # the skip connection below the top level: encoder features of level 0 beside decoded ones
    levels = cast(nn.Sequential, decoder.model)
    network = nn.Sequential(decoder, nn.LeakyReLU(SLOPE), classifier)
    return network, levels[1], 2 * plan.channels[0]


def _dynunet(plan: Architecture, class_count: int) -> tuple[nn.Module, nn.Module, int]:
    """nnU-Net's network, the layer whose output is the embedding, and that layer's channels."""
    with_stem = max(plan.stem_stride) > 1
    network = DynUNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=plan.channels[0] if with_stem else class_count,
        kernel_size=plan.kernels,
        strides=(plan.stem_stride, *plan.strides),
        upsample_kernel_size=plan.strides,
        filters=plan.channels,
    )
    level = 0 if with_stem else min(1, len(plan.strides) - 1)
    features = network.upsamples[len(plan.strides) - 1 - level]
    if not with_stem:
        return network, features, plan.channels[level]
    head = _full_resolution_head(plan, class_count)
    return nn.Sequential(network, *head), features, plan.channels[level]


def _full_resolution_head(plan: Architecture, class_count: int) -> list[nn.Module]:
    """From features on the stem's grid to the classes on the image's."""
    width = max(plan.head_channels, class_count)
    return [
        nn.ConvTranspose3d(plan.channels[0], width, plan.stem_stride, plan.stem_stride),
        nn.InstanceNorm3d(width, affine=True),
        nn.LeakyReLU(SLOPE),
        nn.Conv3d(width, class_count, kernel_size=1),
    ]


def _projector(feature_channels: int, embedding_channels: int) -> nn.Module | None:
    """Two 1x1x1 convolutions, as the contrastive losses of RCPS and SPSS use."""
    if embedding_channels == 0:
        return None
    return nn.Sequential(
        nn.Conv3d(feature_channels, feature_channels, kernel_size=1),
        nn.PReLU(),
        nn.Conv3d(feature_channels, embedding_channels, kernel_size=1),
    )
