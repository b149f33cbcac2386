"""Random turns, bends and intensities of a patch, as tensors on the training device."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spss.types import Shape, SpacingMm


@dataclass(frozen=True)
class AugmentationConfig:
    """Ranges of the random changes; probabilities per patch.

    Attributes:
        spatial: share of patches that are turned, scaled and bent.
        scale: largest relative change of size.
        elastic_voxels: deviation of the control points, in voxels of the finest spacing.
        elastic_points: control points along each axis of the patch.
        shift: largest random shift as a share of the patch, where the volume fits the patch.
        noise: largest standard deviation of Gaussian noise, in deviations of the image.
        brightness: largest additive change, in deviations.
        contrast: largest relative change of contrast.
        gamma: largest log of the exponent.
        blur: largest standard deviation of smoothing in voxels.
        intensity: probability of each intensity change.
    """

    spatial: float = 0.8
    scale: float = 0.15
    elastic_voxels: float = 1.2
    elastic_points: int = 5
    shift: float = 0.05
    noise: float = 0.15
    brightness: float = 0.3
    contrast: float = 0.25
    gamma: float = 0.3
    blur: float = 0.8
    intensity: float = 0.3


def random_matrix(
    config: AugmentationConfig,
    *,
    rotation_degrees: tuple[float, float, float],
    spacing_mm: SpacingMm,
    generator: torch.Generator,
) -> Tensor:
    """``(3, 3)`` rotation and scaling in millimetres, written in voxels.

    Rotation acts on millimetres, else it would shear an anisotropic volume. Nothing is mirrored:
    left and right differ in a patient.
    """
    matrix = torch.eye(3)
    for axis, largest in enumerate(rotation_degrees):
        matrix = matrix @ _rotation(axis, math.radians(largest) * _signed(generator))
    scale = torch.tensor([1 + config.scale * _signed(generator) for _ in range(3)])
    common = 1 + config.scale * _signed(generator)
    matrix = matrix * (common * scale.sqrt())
    spacing = torch.tensor(spacing_mm)
    return matrix * spacing / spacing[:, None]


def random_bend(
    config: AugmentationConfig, patch: Shape, *, spacing_mm: SpacingMm, generator: torch.Generator
) -> Tensor:
    """``(X, Y, Z, 3)`` smooth displacement in voxels; axes of one or few voxels stay put."""
    points = [min(config.elastic_points, size) for size in patch]
    coarse = torch.randn((1, 3, *points), generator=generator) * config.elastic_voxels
    finest = min(spacing_mm)
    for axis, (size, spacing) in enumerate(zip(patch, spacing_mm, strict=True)):
        coarse[:, axis] *= 0.0 if size < 2 * config.elastic_points else finest / spacing
    smooth = F.interpolate(coarse, size=patch, mode="trilinear", align_corners=True)
    return smooth[0].movedim(0, -1)


def change_intensity(
    image: Tensor, config: AugmentationConfig, generator: torch.Generator, noise: torch.Generator
) -> Tensor:
    """Random contrast, brightness, gamma, blur and noise of one ``(X, Y, Z)`` normalised patch.

    Args:
        image: normalised.
        config: ranges.
        generator: decisions, on the CPU.
        noise: on the image's device.
    """
    if _chance(generator) < config.intensity:
        image = image * (1 + config.contrast * _signed(generator))
    if _chance(generator) < config.intensity:
        image = image + config.brightness * _signed(generator)
    if _chance(generator) < config.intensity:
        image = _gamma(image, math.exp(config.gamma * _signed(generator)))
    if _chance(generator) < config.intensity / 2:
        image = _blur(image, config.blur * _chance(generator))
    if _chance(generator) < config.intensity:
        deviation = config.noise * _chance(generator)
        normal = torch.randn(image.shape, generator=noise, device=image.device)
        image = image + deviation * normal
    return image


def _gamma(image: Tensor, exponent: float) -> Tensor:
    """Power law on the image's own range; mean and range change, as with another scanner."""
    low, high = image.min(), image.max()
    width = (high - low).clamp_min(1e-6)
    return ((image - low) / width).pow(exponent) * width + low


def _blur(image: Tensor, deviation: float) -> Tensor:
    """Separable Gaussian."""
    radius = max(1, math.ceil(2 * deviation))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / max(deviation, 1e-3)).square())
    kernel = kernel / kernel.sum()
    result = image[None, None]
    for axis in range(3):
        if image.shape[axis] > 2 * radius:
            shape = [1, 1, 1, 1, 1]
            shape[2 + axis] = len(kernel)
            padding = [0, 0, 0]
            padding[axis] = radius
            pad = [value for size in reversed(padding) for value in (size, size)]
            result = F.conv3d(F.pad(result, pad, mode="replicate"), kernel.reshape(shape))
    return result[0, 0]


def _rotation(axis: int, radians: float) -> Tensor:
    """``(3, 3)``, about one axis."""
    first, second = (other for other in range(3) if other != axis)
    matrix = torch.eye(3)
    matrix[first, first] = matrix[second, second] = math.cos(radians)
    matrix[first, second], matrix[second, first] = -math.sin(radians), math.sin(radians)
    return matrix


def _chance(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def _signed(generator: torch.Generator) -> float:
    return 2 * _chance(generator) - 1
