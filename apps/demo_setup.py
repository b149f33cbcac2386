"""What a demo needs on disk: images for the server, a copy of the app, volumes held back."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from spss.datasets import Case, Dataset, open_decathlon, split
from spss.errors import InputError

MARKER = ".spss_demo"
"""Lies in folders that a demo made: only those are emptied by the next one."""


@dataclass(frozen=True)
class DemoOptions:
    """What ``spss demo`` was asked for.

    Attributes:
        data: Decathlon folder; None for the sample data.
        out: folder for all that is written.
        rounds: of draw, train, measure.
        planes: drawn per round.
        axis: ``auto`` or the voxel axis across the planes.
        minutes: of training per round.
        iterations: of training per round instead of ``minutes``, unless None.
        method: name of the training method.
        strategy: name of the suggestion strategy.
        seed: of training.
        test_volumes: measured on at most.
        command: as typed.
    """

    data: Path | None
    out: Path
    rounds: int = 4
    planes: int = 5
    axis: str = "auto"
    minutes: float = 2.0
    iterations: int | None = None
    method: str = "spss"
    strategy: str = "self_paced"  # whose scores and reasons the report is there to show
    seed: int = 0
    test_volumes: int = 40
    command: str = "spss demo"


@dataclass(frozen=True)
class Demo:
    """Everything on disk that a run needs.

    Attributes:
        options: what was asked for.
        description: what the volumes are, in plain words.
        class_names: background first.
        pool: the volumes whose images the server gets; it never sees their labels.
        test: volumes of which the server gets nothing beforehand.
        app: folder for ``--app``.
        studies: folder for ``--studies``.
    """

    options: DemoOptions
    description: str
    class_names: tuple[str, ...]
    pool: tuple[Case, ...]
    test: tuple[Case, ...]
    app: Path
    studies: Path

    @property
    def log(self) -> Path:
        """Receives what the server prints."""
        return self.options.out / "server.log"

    @property
    def conf(self) -> dict[str, str]:
        """``--conf`` of the server.

        No plane is held out to judge new networks by: planes are few, and test volumes do that.
        """
        return {"labels": ",".join(self.class_names[1:]), "held_out": "0"}


def prepare(options: DemoOptions) -> Demo:
    """Copies images and app into ``options.out``.

    Raises:
        InputError: the data cannot be used, or ``out`` holds something else than a demo.
    """
    dataset, description = _open_data(options.data)
    pool, test = hold_out(dataset)
    out = empty_folder(options.out)
    studies = out / "studies"
    studies.mkdir()
    for case in pool:
        shutil.copy(case.image, studies / case.image.name)
    return Demo(
        options=options,
        description=description,
        class_names=dataset.class_names,
        pool=pool,
        test=test[: options.test_volumes],
        app=_copy_app(out / "app"),
        studies=studies,
    )


def hold_out(dataset: Dataset) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Labelled volumes for the server, and the test split that it must never see.

    Raises:
        InputError: one of the two is empty.
    """
    names = set(split(dataset)["test"])
    labelled = [case for case in dataset.cases if case.label is not None]
    pool = tuple(case for case in labelled if case.name not in names)
    test = tuple(case for case in labelled if case.name in names)
    if not pool or not test:
        msg = (
            f"{dataset.root} has {len(labelled)} labelled volumes, too few to draw in some and "
            "test on others: give 5 or more."
        )
        raise InputError(msg)
    return pool, test


def empty_folder(path: Path) -> Path:
    """Makes ``path``, or empties it where an earlier demo made it.

    Raises:
        InputError: it holds something that no demo wrote.
    """
    if path.exists() and any(path.iterdir()):
        if not (path / MARKER).is_file():
            msg = f"{path} is not empty and no demo made it: name another folder with --out."
            raise InputError(msg)
        shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True)
    (path / MARKER).touch()
    return path


def _open_data(folder: Path | None) -> tuple[Dataset, str]:
    """The user's folder, or sample data, with the words that the report has for it."""
    if folder is not None:
        dataset = open_decathlon(folder)
        return dataset, f"{dataset.root.resolve().name}, {len(dataset.cases)} volumes"
    from spss.datasets import sample_data

    return sample_data()


def _copy_app(target: Path) -> Path:
    """A folder for ``--app`` of its own, so that MONAI Label's logs stay with the demo.

    Only the entry file: it loads the installed package, whose modules must not be found twice.
    """
    spec = importlib.util.find_spec("spss_app")
    assert spec is not None
    assert spec.origin is not None
    target.mkdir()
    shutil.copy(Path(spec.origin).parent / "main.py", target)
    return target
