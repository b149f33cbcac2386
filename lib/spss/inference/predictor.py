"""A trained model, loaded once, asked often."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spss.errors import InputError
from spss.inference.prediction import Prediction
from spss.inference.slabs import Slab, plan_slabs, to_stored_slab
from spss.networks import Segmenter
from spss.networks.window import (
    NOISE,
    NOISY_PASSES,
    noisy_mean,
    whole_or_window,
    window_step,
)
from spss.training.acceleration import Acceleration
from spss.training.memory import SHARE, free_memory_gb
from spss.training.model_file import ModelConfig, load_model
from spss.training.options import pick_device
from spss.training.prepare import canonical_image
from spss.types import Shape
from spss.volumes import Volume, from_canonical, is_constant, to_canonical


@dataclass
class Predictor:
    """Predicts on the image's own grid, in slabs where the whole would not fit.

    Attributes:
        config: see `ModelConfig`.
        network: in evaluation mode, on ``device``.
        device: where to compute.
        memory_gb: for class probabilities of a slab; None = half of the main memory that is free.
    """

    config: ModelConfig
    network: Segmenter
    device: torch.device
    memory_gb: float | None = None

    @classmethod
    def load(
        cls, model_dir: str | Path, *, device: str = "auto", memory_gb: float | None = None
    ) -> Predictor:
        """Reads ``model.pt`` of a training's folder.

        Raises:
            NotReadyError: if there is no model yet.
            InputError: if it is damaged or the device does not exist.
        """
        where = pick_device(device)
        config, network = load_model(Path(model_dir), where)
        return cls(config, network, where, memory_gb)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Background first."""
        return self.config.class_names

    def predict(
        self, volume: Volume, *, uncertainty: bool = False, probabilities: bool = False
    ) -> Prediction:
        """Segments one volume.

        Args:
            volume: any size, spacing and orientation.
            uncertainty: also return the uncertainty map; costs ``NOISY_PASSES`` more passes.
            probabilities: also return all class probabilities; needs memory for them.

        Raises:
            InputError: if the image is constant.
        """
        if is_constant(volume.data):
            msg = f"Image {volume.name} is constant: there is nothing to segment."
            raise InputError(msg)
        image = canonical_image(volume, self.config.plan)
        stored_shape = to_canonical(volume.data, volume.affine)[0].shape
        result = _Result.empty(
            stored_shape,  # type: ignore[arg-type]
            len(self.class_names) if probabilities else 0,
            uncertainty,
        )
        for slab in self._slabs(image.shape, stored_shape, uncertainty):
            self._fill(result, image, slab)
        return Prediction(
            *(None if m is None else from_canonical(m, volume.affine) for m in result.maps)  # type: ignore[arg-type]
        )

    def _slabs(
        self, planned: tuple[int, ...], stored: tuple[int, ...], uncertainty: bool
    ) -> list[Slab]:
        free = self.memory_gb or SHARE * free_memory_gb(torch.device("cpu"))
        maps = len(self.config.classes) * (2 if uncertainty else 1)
        return plan_slabs(
            planned,  # type: ignore[arg-type]
            stored,  # type: ignore[arg-type]
            # a patch of margin, and cuts where windows begin: slabs then see the whole's windows
            halo=self.config.plan.patch_size,
            multiple=[window_step(size) for size in self.config.plan.patch_size],
            bytes_per_voxel=4 * 3 * maps,
            memory_bytes=free * 1e9,
        )

    def _fill(self, result: _Result, image: NDArray[np.float32], slab: Slab) -> None:
        part = torch.from_numpy(np.ascontiguousarray(image[slab.read]))
        clean = self._probabilities(part, noise=0.0)
        clean = to_stored_slab(clean, slab)
        lookup = np.asarray(self.config.classes, dtype=np.uint8)
        result.classes[slab.write] = lookup[clean.argmax(axis=0)]
        if result.probabilities is not None:
            result.probabilities[(lookup, *slab.write)] = clean
        if result.uncertainty is not None:
            noisy = to_stored_slab(self._probabilities(part, noise=NOISE), slab)
            result.uncertainty[slab.write] = normalised_entropy(noisy)

    def _probabilities(self, part: torch.Tensor, noise: float) -> NDArray[np.float32]:
        """``(C, x, y, z)`` float32 of a part of the planned grid."""
        plan = self.config.plan
        network: Callable[[torch.Tensor], torch.Tensor] = self.network
        if noise > 0:
            generator = torch.Generator(self.device).manual_seed(0)
            network = noisy_mean(self.network, noise, NOISY_PASSES, generator)
        with torch.inference_mode(), self._autocast():
            probabilities = whole_or_window(
                network,
                part,
                patch=plan.patch_size,
                multiple=plan.architecture.total_stride,
                device=self.device,
            )
        return tempered(probabilities, float(self.config.training.get("temperature") or 1.0))

    def _autocast(self) -> AbstractContextManager[Any]:
        """The precision of the training, so that the network sees what it was trained with."""
        precision = str(self.config.training.get("precision", "float32"))
        return Acceleration(precision).autocast(self.device)()


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """p^(1/T), made to sum to one over the classes: as sure as held-out planes showed it may be.

    Args:
        probabilities: ``(C, ...)`` float32.
        temperature: see `spss.training.temperature.fit_temperature`; 1 changes nothing.
    """
    if temperature == 1.0:
        return probabilities
    powers = np.power(probabilities, np.float32(1 / temperature))
    return powers / np.maximum(powers.sum(axis=0), np.float32(1e-12))


def normalised_entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """H(p) / log C in 0…1: ``(C, ...)`` to ``(...)``; 0 for a single class."""
    count = probabilities.shape[0]
    if count < 2:
        return np.zeros(probabilities.shape[1:], np.float32)
    entropy = -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(axis=0)
    return np.clip(entropy / np.log(count), 0, 1).astype(np.float32)


@dataclass
class _Result:
    """Maps in canonical orientation, filled slab by slab."""

    classes: NDArray[np.uint8]
    probabilities: NDArray[np.float32] | None
    uncertainty: NDArray[np.float32] | None

    @classmethod
    def empty(cls, shape: Shape, class_count: int, uncertainty: bool) -> _Result:
        return cls(
            np.zeros(shape, np.uint8),
            np.zeros((class_count, *shape), np.float32) if class_count else None,
            np.zeros(shape, np.float32) if uncertainty else None,
        )

    @property
    def maps(self) -> tuple[Any, Any, Any]:
        return self.classes, self.probabilities, self.uncertainty
