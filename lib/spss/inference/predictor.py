"""A trained model, loaded once, asked often."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spss.errors import InputError
from spss.inference.fallback import Effort, efforts
from spss.inference.memory_plan import MemoryPlan, plan_memory
from spss.inference.prediction import Prediction
from spss.inference.slabs import Slab, to_stored_slab
from spss.memory import SHARE, free_memory_gb, is_out_of_memory
from spss.networks import Segmenter
from spss.networks.window import (
    NOISE,
    NOISY_PASSES,
    noisy_mean,
    whole_or_window,
)
from spss.training.acceleration import Acceleration
from spss.training.model_file import ModelConfig, load_model
from spss.training.options import pick_device
from spss.training.planned_grid import canonical_image
from spss.types import Shape
from spss.volumes import Volume, from_canonical, is_constant, to_canonical


@dataclass
class Predictor:
    """Predicts on the image's own grid, in slabs where the whole would not fit.

    Attributes:
        config: see `ModelConfig`.
        network: in evaluation mode, on ``device``.
        device: where to compute.
        memory_gb: main memory for a prediction; None = half of what is free.
    """

    config: ModelConfig
    network: Segmenter
    device: torch.device
    memory_gb: float | None = None
    _effort: int = field(default=0, init=False, repr=False)

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
        plan = self.memory_plan(
            image.shape,  # type: ignore[arg-type]
            stored_shape,  # type: ignore[arg-type]
            uncertainty=uncertainty,
            probabilities=probabilities,
        )
        self._effort = 0
        for slab in plan.slabs:
            self._fill(result, image, slab)
        classes, all_probabilities, entropy = (
            None if each is None else from_canonical(each, volume.affine) for each in result.maps
        )
        remarks = (plan.in_words(), *self._remarks())
        return Prediction(classes, all_probabilities, entropy, remarks)  # type: ignore[arg-type]

    def memory_plan(
        self,
        planned: Shape,
        stored: Shape,
        *,
        uncertainty: bool = False,
        probabilities: bool = False,
    ) -> MemoryPlan:
        """How a volume of ``stored`` voxels, ``planned`` at the network's spacing, is cut."""
        return plan_memory(
            self.config,
            planned,
            stored,
            budget_gb=self.memory_gb or SHARE * free_memory_gb(),
            uncertainty=uncertainty,
            probabilities=probabilities,
        )

    def _fill(self, result: _Result, image: NDArray[np.float32], slab: Slab) -> None:
        """Writes one slab's part of the maps; its own maps are freed one after another."""
        part = torch.from_numpy(np.ascontiguousarray(image[slab.read]))
        clean = to_stored_slab(self._probabilities(part, noise=0.0), slab)
        lookup = np.asarray(self.config.classes, dtype=np.uint8)
        result.classes[slab.write] = lookup[clean.argmax(axis=0)]
        if result.probabilities is not None:
            result.probabilities[(lookup, *slab.write)] = clean
        del clean  # before the next maps of this size
        if result.uncertainty is not None:
            noisy = to_stored_slab(self._probabilities(part, noise=NOISE), slab)
            result.uncertainty[slab.write] = normalised_entropy(noisy)

    def _probabilities(self, part: torch.Tensor, noise: float) -> NDArray[np.float32]:
        """``(C, x, y, z)`` float32 of a part of the planned grid; with less where memory runs out.

        Raises:
            InputError: not even the smallest windows on the CPU fit.
        """
        plan = self.config.plan
        ways = efforts(self.device, plan.patch_size, plan.architecture.total_stride)
        while True:
            try:
                probabilities = self._forward(part, noise, ways[self._effort])
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self._effort == len(ways) - 1:
                    msg = "There is too little memory for this image: set a smaller memory_gb."
                    raise InputError(msg) from error
                self._effort += 1
        return tempered(probabilities, float(self.config.training.get("temperature") or 1.0))

    def _forward(self, part: torch.Tensor, noise: float, way: Effort) -> NDArray[np.float32]:
        """Probabilities of one slab, in one pass or window by window, as ``way`` says."""
        network: Callable[[torch.Tensor], torch.Tensor] = self.network.to(way.device)
        if noise > 0:
            generator = torch.Generator(way.device).manual_seed(0)
            network = noisy_mean(self.network, noise, NOISY_PASSES, generator)
        with torch.inference_mode(), self._autocast(way.device):
            return whole_or_window(
                network,
                part,
                patch=way.window,
                multiple=self.config.plan.architecture.total_stride,
                device=way.device,
                whole=way.whole,
            )

    def _remarks(self) -> tuple[str, ...]:
        """That memory ran out, if it did, and what was done instead."""
        plan = self.config.plan
        ways = efforts(self.device, plan.patch_size, plan.architecture.total_stride)
        if self._effort == 0:
            return ()
        return (f"Memory ran out: predicted {ways[self._effort].in_words()}.",)

    def _autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        """The precision of the training, so that the network sees what it was trained with."""
        precision = str(self.config.training.get("precision", "float32"))
        return Acceleration(precision).autocast(device)()


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
        """Maps of zeros that slabs are written into; only those that are asked for take memory."""
        return cls(
            np.zeros(shape, np.uint8),
            np.zeros((class_count, *shape), np.float32) if class_count else None,
            np.zeros(shape, np.float32) if uncertainty else None,
        )

    @property
    def maps(self) -> tuple[Any, Any, Any]:
        """In one order, so that a slab's maps and the whole's can be walked side by side."""
        return self.classes, self.probabilities, self.uncertainty
