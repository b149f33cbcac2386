"""Carry annotated planes through an image: one plane in, a segmented volume out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spss.annotation import Plane, SparseLabel
    from spss.propagation.neighbouring_slices import VolumeFiles
    from spss.propagation.saved_network import SavedNetwork
    from spss.types import ClassMap, Probabilities
    from spss.volumes import Volume


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss propagate``."""
    parser.add_argument("image", type=Path, metavar="IMAGE", help="NIfTI, NRRD, …")
    parser.add_argument(
        "labels",
        type=Path,
        nargs="+",
        metavar="LABEL",
        help="label maps with the annotated planes, in the order they were drawn",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="label map to write"
    )
    parser.add_argument(
        "--axis", type=int, choices=(0, 1, 2), help="voxel axis of --plane (default: found)"
    )
    parser.add_argument(
        "--plane",
        type=int,
        action="append",
        metavar="K",
        help="annotated voxel index along --axis; repeatable (default: read off the labels)",
    )
    parser.add_argument("--propagator", default="auto", metavar="NAME", help="default: auto")
    parser.add_argument(
        "--reliability", type=Path, metavar="OUT2", help="map of the probability of being right"
    )
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="join with a model written by 'spss train'"
    )
    parser.add_argument(
        "--range", type=int, metavar="N", help="only N slices to each side (default: all)"
    )
    _add_registration(parser)
    parser.add_argument("--threads", type=int, help="cores (default: OMP_NUM_THREADS, then all)")


def _add_registration(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a network of one's own for ``learned`` or ``correspondence``."""
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="carry with this registration network, or that of --propagator correspondence",
    )
    parser.add_argument(
        "--train-on",
        type=Path,
        metavar="FOLDER",
        help="train the network of --weights on the folder's images, unless it is there already",
    )
    parser.add_argument(
        "--train-steps", type=int, default=400, metavar="N", help="of --train-on (default: 400)"
    )
    parser.add_argument(
        "--diffeomorphic", action="store_true", help="--train-on a network that cannot fold"
    )


def run(args: argparse.Namespace) -> int:
    """Writes the label map, and the reliability if asked for, on the image's own grid."""
    from spss.propagation import propagate
    from spss.volumes import read_image, read_label, write_label, write_map

    volume = read_image(args.image)
    maps = [read_label(path, like=volume) for path in args.labels]
    sparse, planes = _sparse_label(args, maps)
    weights = _weights(args)
    class_count = max(2, *(int(each.max()) + 1 for each in maps))
    network = None
    if args.model is not None:
        network, class_count = _predicted(args.model, volume, class_count)
    result = propagate(
        volume.data,
        sparse,
        spacing_mm=volume.spacing_mm,
        class_count=class_count,
        propagator="learned" if weights and args.propagator == "auto" else args.propagator,
        range_slices=args.range,
        network_probabilities=network,
        weights=weights,
        threads=args.threads,
    )
    write_label(args.output, result.classes, like=volume)
    if args.reliability is not None:
        write_map(args.reliability, result.reliability, like=volume)
    names = ", ".join(f"axis {plane.axis} index {plane.index}" for plane in planes)
    print(f"{args.output}: propagated from {len(planes)} plane(s): {names}.")
    return 0


def _sparse_label(
    args: argparse.Namespace, maps: list[ClassMap]
) -> tuple[SparseLabel, tuple[Plane, ...]]:
    """The planes of all label maps; where they cross and differ, later files win."""
    from spss.propagation import combine_planes

    drawn = [(plane, each[plane.slices]) for each in maps for plane in _planes(args, each)]
    sparse = combine_planes(maps[0].shape, drawn)  # type: ignore[arg-type]
    return sparse, sparse.planes


def _planes(args: argparse.Namespace, label: ClassMap) -> tuple[Plane, ...]:
    """The planes asked for, or those the label map shows.

    Raises:
        InputError: ``--plane`` without ``--axis``, or a label with no recognisable planes.
    """
    from spss.annotation import Plane, find_planes
    from spss.errors import InputError

    if args.plane:
        if args.axis is None:
            msg = "--plane needs --axis (0, 1 or 2): along which voxel axis is it counted?"
            raise InputError(msg)
        planes = tuple(Plane(args.axis, index) for index in args.plane)
        for plane in planes:
            plane.check(label.shape)  # type: ignore[arg-type]
        return planes
    found = find_planes(label)
    if not found:
        what = "is empty" if found == () else "looks dense"
        msg = f"The label {what}: say which planes were annotated with --axis A --plane K."
        raise InputError(msg)
    if args.axis is not None:
        found = tuple(plane for plane in found if plane.axis == args.axis)
    if not found:
        msg = f"No annotated plane was found along axis {args.axis}: name them with --plane K."
        raise InputError(msg)
    return found


def _weights(args: argparse.Namespace) -> Path | None:
    """The registration or correspondence network asked for, trained first if need be.

    Raises:
        InputError: nowhere to keep it, or no image to train it on.
    """
    if args.train_on is None or (args.weights is not None and args.weights.exists()):
        return args.weights
    from spss.errors import InputError
    from spss.propagation.neighbouring_slices import VolumeFiles
    from spss.volumes.files import list_images

    paths = list_images(args.train_on)
    if args.weights is None:
        msg = "--train-on needs --weights FILE: where is the trained network to be kept?"
        raise InputError(msg)
    if not paths:
        msg = f"There is no image in {args.train_on}: --train-on takes a folder of images."
        raise InputError(msg)
    train = _train_correspondence if args.propagator == "correspondence" else _train_registration
    axes = (0, 1, 2) if args.axis is None else (args.axis,)
    network = train(VolumeFiles(paths), axes, args)
    network.save(args.weights)
    print(f"{args.weights}: {network.kind}, trained on {len(paths)} images.")
    return Path(args.weights)


def _train_registration(
    images: VolumeFiles, axes: tuple[int, ...], args: argparse.Namespace
) -> SavedNetwork:
    from spss.propagation.registration_network import RegistrationConfig, RegistrationNetwork
    from spss.propagation.registration_training import train_registration

    network = RegistrationNetwork(RegistrationConfig(diffeomorphic=args.diffeomorphic))
    return train_registration(images, network=network, axes=axes, steps=args.train_steps)


def _train_correspondence(
    images: VolumeFiles, axes: tuple[int, ...], args: argparse.Namespace
) -> SavedNetwork:
    from spss.propagation.correspondence_training import train_correspondence

    return train_correspondence(images, axes=axes, steps=args.train_steps)


def _predicted(folder: Path, volume: Volume, class_count: int) -> tuple[Probabilities, int]:
    """The model's probabilities on the image's grid, and its number of classes.

    Raises:
        InputError: the label holds a class the model does not know.
    """
    from spss.errors import InputError
    from spss.inference import Predictor

    predictor = Predictor.load(folder)
    probabilities = predictor.predict(volume, probabilities=True).probabilities
    if probabilities is None or len(probabilities) < class_count:
        known = 0 if probabilities is None else len(probabilities)
        msg = (
            f"The label holds class {class_count - 1}, but the model in {folder} knows {known} "
            "classes with background: use a model trained on the same classes."
        )
        raise InputError(msg)
    return probabilities, len(probabilities)
