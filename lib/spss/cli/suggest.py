"""Say which planes to draw next, and why, without a server."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spss.cli import _annotated_set
from spss.suggestion.strategies import DEFAULT_STRATEGY

if TYPE_CHECKING:
    from spss.datasets import Annotations, Case, Dataset
    from spss.suggestion import ImageState, Suggestion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss suggest``."""
    _annotated_set.add_arguments(
        parser,
        annotations="the planes drawn so far or 'dense'",
        train_split_only="suggest no image of the benchmark's validation and test split",
    )
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="folder written by 'spss train', to score planes"
    )
    parser.add_argument("-n", type=int, default=5, metavar="N", help="planes at most (default 5)")
    parser.add_argument("--strategy", default=DEFAULT_STRATEGY, help="default: %(default)s")
    parser.add_argument("--axis", default="auto", help="auto, 0, 1 or 2 (default auto)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn by lot (default 0)")
    parser.add_argument(
        "--scores",
        type=Path,
        metavar="DIR",
        help="where scores are kept, image by image (default: DIR of --model/plane_scores)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def run(args: argparse.Namespace) -> int:
    """Prints the planes, most wanted first; says why if there is none."""
    import numpy as np

    from spss.errors import InputError
    from spss.suggestion import suggest

    if args.n < 1:
        msg = f"-n must be 1 or more, got {args.n}."
        raise InputError(msg)
    dataset, annotations, cases = _annotated_set.open_set(args)
    states = _states(args, dataset.class_names, annotations, cases)
    options: dict[str, Any] = {
        "strategy": args.strategy,
        "axis": args.axis,
        "class_names": dataset.class_names,
    }
    found = suggest(states, rng=np.random.default_rng(args.seed), count=args.n, **options)
    found = [_looked_at(each, states, dataset, options, args.seed) for each in found]
    print(json.dumps([_as_json(each) for each in found], indent=1) if args.json else _text(found))
    if not found:
        print(f"spss suggest: {_why_nothing(states)}", file=sys.stderr)
    return 0


def _states(
    args: argparse.Namespace,
    class_names: tuple[str, ...],
    annotations: Annotations,
    cases: tuple[Case, ...],
) -> list[ImageState]:
    """One a readable image; the others are named on stderr."""
    from spss.errors import InputError
    from spss.suggestion import ImageState
    from spss.suggestion.score_folder import ScoreFolder
    from spss.volumes import read_grid

    shelf = None
    if args.model is not None:
        folder = args.scores or args.model / "plane_scores"
        shelf = ScoreFolder.open(folder, args.model, class_names, device=args.device)
    states = []
    for case in cases:
        entry = annotations.get(case.name, ())
        try:
            grid = read_grid(case.image)
            note, organ = (None, None) if shelf is None else shelf.of(case.name, case.image)
        except InputError as error:
            print(f"spss suggest: left out {case.name}: {error}", file=sys.stderr)
            continue
        states.append(
            ImageState(
                image_id=case.name,
                shape=grid.shape,
                spacing_mm=grid.spacing_mm,
                affine=grid.affine,
                planes=() if entry == "dense" else entry,
                dense=entry == "dense",
                scores=None if note is None else note.scores,
                features=None if note is None else note.features,
                organ=organ,
            )
        )
    if shelf is not None and shelf.renewed:
        print(f"spss suggest: {shelf.in_words()}", file=sys.stderr)
    return states


def _looked_at(
    found: Suggestion,
    states: list[ImageState],
    dataset: Dataset,
    options: dict[str, Any],
    seed: int,
) -> Suggestion:
    """The same volume, its plane by what the image shows, where nothing else is known of it."""
    from dataclasses import replace

    import numpy as np

    from spss.suggestion import suggest, summarise_content
    from spss.volumes import read_image

    if any(state.organ is not None for state in states):
        return found
    image = dataset.case(found.image_id).image
    content = summarise_content(read_image(image).data)
    looked = [
        replace(state, content=content) if state.image_id == found.image_id else state
        for state in states
    ]
    others = [state.image_id for state in states if state.image_id != found.image_id]
    again = {**options, "axis": found.plane.axis, "excluded": others}
    return suggest(looked, rng=np.random.default_rng(seed), **again)[0]


def _why_nothing(states: list[ImageState]) -> str:
    """An empty answer alone would look like an error."""
    if not states:
        return "there is no image to suggest."
    if all(state.dense for state in states):
        return f"nothing is left: all {len(states)} images are annotated as a whole."
    return "nothing is left: every plane lies too close to a drawn one."


def _as_json(found: Suggestion) -> dict[str, Any]:
    """What a program needs to act on a suggestion."""
    return {
        "image": found.image_id,
        "axis": found.plane.axis,
        "index": found.plane.index,
        "score": round(found.score, 4),
        "reason": found.reason,
    }


def _text(found: list[Suggestion]) -> str:
    """A line that says where, and one below it that says why."""
    return "\n".join(
        f"{each.image_id}: axis {each.plane.axis} index {each.plane.index}\n    {each.reason}"
        for each in found
    )
