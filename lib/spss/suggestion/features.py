"""A volume as the network sees it, in a few numbers: to tell which volumes are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spss.inference import Predictor
    from spss.volumes import Volume

LARGEST_LENGTH = 128
"""Numbers kept a volume: neighbouring channels of a wide network are averaged."""


def volume_features(predictor: Predictor, volume: Volume) -> NDArray[np.float32]:
    """Mean of each of the deepest layer's channels over the volume: ``(F,)``, F ≤ 128.

    The volume is shrunk to one patch first, so that a large CT costs one pass, as a small one does.

    Raises:
        InputError: if the image is constant.
    """
    import torch
    import torch.nn.functional as F

    from spss.training.planned_grid import canonical_image

    plan = predictor.config.plan
    image = torch.from_numpy(np.ascontiguousarray(canonical_image(volume, plan)))
    patch = F.interpolate(
        image[None, None].to(predictor.device), size=plan.patch_size, mode="trilinear"
    )
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        """Pools what the layer gives."""
        del module, inputs
        kept.append(output.float().mean(dim=(0, 2, 3, 4)))

    hook = _deepest(predictor.network).register_forward_hook(keep)
    try:
        with torch.inference_mode():
            predictor.network(patch)
    finally:
        hook.remove()
    values = kept[-1].cpu().numpy()
    parts = np.array_split(values, min(len(values), LARGEST_LENGTH))
    return np.asarray([part.mean() for part in parts], np.float32)


def _deepest(network: nn.Module) -> nn.Module:
    """The last convolution with the most filters: a U-Net's bottleneck.

    Its output before normalisation: afterwards each channel's mean is zero by construction.
    """
    from torch.nn import Conv3d

    layers = [module for module in network.modules() if isinstance(module, Conv3d)]
    widest = max(layer.out_channels for layer in layers)
    return next(layer for layer in reversed(layers) if layer.out_channels == widest)
