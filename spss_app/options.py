"""What ``--conf KEY VALUE`` can set, checked at start."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from spss.annotation import BACKGROUND, check_class_names
from spss.errors import InputError

ANNOTATION_RULES = ("auto", "sparse", "dense")
LAYOUTS = ("auto", "flat", "decathlon")
AXES = ("auto", "0", "1", "2")
OHIF = ("refuse", "mirrored", "as_stored")


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class AppOptions:
    """The app's settings; each field is a ``--conf`` key."""

    labels: tuple[str, ...] = _option((), "names of the structures: liver,spleen or a JSON list")
    annotations: str = _option("auto", "how submits are read: auto (by the label), sparse, dense")
    layout: str = _option("auto", "studies folder: flat, decathlon (images in imagesTr), or auto")
    ledger: str = _option("", "folder of the annotation ledger; default beside the images")
    workspace: str = _option("", "folder for all that is written; default the studies folder")
    axis: str = _option("auto", "voxel axis of suggested planes: auto, 0, 1 or 2")
    propagator: str = _option("auto", "how planes are carried through the volume")
    method: str = _option("spss", "training method that is preselected")
    lease_minutes: float = _option(30.0, "minutes a served image is kept from other annotators")
    held_out: float = _option(0.2, "share of images kept out of training to judge new models")
    device: str = _option("auto", "auto, cpu, cuda or cuda:N")
    ohif: str = _option("refuse", "slices of OHIF's segmentations: refuse, mirrored, as_stored")
    memory_gb: float = _option(0.0, "memory in GB for a training or an answer; 0 = half the free")

    @classmethod
    def from_conf(cls, conf: Mapping[str, Any]) -> AppOptions:
        """Reads MONAI Label's ``--conf`` pairs; unknown keys are left to MONAI Label.

        Raises:
            InputError: a value cannot be used.
        """
        known = {f.name: f for f in fields(cls)}
        values = {key: _parse(key, conf[key], known[key].default) for key in known if key in conf}
        options = cls(**values)
        _one_of("annotations", options.annotations, ANNOTATION_RULES)
        _one_of("layout", options.layout, LAYOUTS)
        _one_of("axis", options.axis, AXES)
        _one_of("ohif", options.ohif, OHIF)
        if not 0 <= options.held_out < 1:
            msg = f"--conf held_out must be a share from 0 to below 1, got {options.held_out}."
            raise InputError(msg)
        return options

    def folder(self, name: str) -> Path | None:
        """A folder option as a path, or None if it was not given."""
        value = str(getattr(self, name))
        return Path(value).expanduser().resolve() if value else None


def _parse(key: str, value: Any, default: Any) -> Any:
    """A value in the kind of its default; all come as text from the command line."""
    if key == "labels":
        return parse_labels(value)
    if isinstance(default, float):
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            msg = f"--conf {key} must be a number, got {value!r}."
            raise InputError(msg) from error
    return str(value).strip()


def parse_labels(value: Any) -> tuple[str, ...]:
    """Names of the structures, without the background.

    Args:
        value: ``"liver,spleen"``, a JSON list, or a JSON object name → number.

    Raises:
        InputError: no name, a name twice, or broken JSON.
    """
    parsed = value
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        try:
            parsed = json.loads(value)
        except ValueError as error:
            msg = f"--conf labels is no valid JSON ({error}): write liver,spleen instead."
            raise InputError(msg) from error
    elif isinstance(value, str):
        parsed = value.split(",")
    if isinstance(parsed, Mapping):
        parsed = sorted(parsed, key=lambda name: parsed[name])
    names = tuple(str(n).strip() for n in parsed if str(n).strip().lower() != BACKGROUND)
    if not names:
        msg = f"--conf labels names no structure, got {value!r}: write liver,spleen."
        raise InputError(msg)
    return check_class_names((BACKGROUND, *names))[1:]


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        msg = f"--conf {key} must be one of {', '.join(allowed)}, got {value!r}."
        raise InputError(msg)
