"""Segment images with a trained model, each on its own grid."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

USER_ERROR = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss predict``."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="NIfTI, NRRD, …")
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="folder written by 'spss train'"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUTDIR", help="folder of label maps"
    )
    parser.add_argument(
        "--uncertainty",
        action="store_true",
        help="also write NAME_uncertainty: entropy of noisy passes, 0 (sure) to 1",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1 (default auto)")
    parser.add_argument("--memory-gb", type=float, help="for class maps (default: half the free)")


def run(args: argparse.Namespace) -> int:
    """Predicts all images that can be read; names the others and exits with 2."""
    from tqdm import tqdm

    from spss.errors import InputError
    from spss.inference import Predictor

    _check_names(args.images)
    predictor = Predictor.load(args.model, device=args.device, memory_gb=args.memory_gb)
    broken = 0
    for path in tqdm(args.images, desc="Predicting", unit="image", disable=len(args.images) < 2):
        try:
            _predict_one(predictor, path, args.output, uncertainty=args.uncertainty)
        except InputError as error:
            broken += 1
            print(f"spss predict: skipped {path.name}: {error}", file=sys.stderr)
    print(f"{args.output}: {len(args.images) - broken} of {len(args.images)} images predicted.")
    return USER_ERROR if broken else 0


def _predict_one(predictor, path: Path, folder: Path, *, uncertainty: bool) -> None:  # type: ignore[no-untyped-def]
    """Writes the label map, and the uncertainty where it was asked for, beside each other."""
    from spss.volumes import read_image, write_label, write_map

    volume = read_image(path)
    prediction = predictor.predict(volume, uncertainty=uncertainty)
    name = _written_name(path)
    write_label(folder / name, prediction.classes, like=volume)
    if prediction.uncertainty is not None:
        stem, ending = _split_name(name)
        write_map(folder / f"{stem}_uncertainty{ending}", prediction.uncertainty, like=volume)


def _written_name(path: Path) -> str:
    """The image's own file name; a format that cannot be written (DICOM) becomes NIfTI."""
    stem, ending = _split_name(path.name)
    return path.name if ending.lower() in (".nii", ".nii.gz", ".nrrd", ".mha") else f"{stem}.nii.gz"


def _split_name(name: str) -> tuple[str, str]:
    """Name and ending; ``.nii.gz`` is one ending."""
    from spss.volumes import image_name

    stem = image_name(name)
    return stem, name[len(stem) :]


def _check_names(paths: list[Path]) -> None:
    """Raises InputError if two images would be written to the same file."""
    from spss.errors import InputError

    seen: dict[str, Path] = {}
    for path in paths:
        other = seen.setdefault(_written_name(path), path)
        if other != path:
            msg = (
                f"Images {other} and {path} have the same name: predict them into different "
                "folders."
            )
            raise InputError(msg)
