"""What happened in a demo run: the numbers behind the table, the report and ``demo.json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spss_apps.annotator import Question


@dataclass(frozen=True)
class DrawnPlane:
    """One answer of the annotator.

    Attributes:
        question: what the server asked.
        understood: what the server said it understood of the submit.
        draft_dice: mean Dice of the propagated volume against the truth.
        seconds: ask, draw, submit and propagate together.
    """

    question: Question
    understood: str
    draft_dice: float
    seconds: float


@dataclass(frozen=True)
class RoundRecord:
    """One round: planes, then training, then the test.

    Attributes:
        planes: drawn in this round, in order.
        planes_in_all: drawn so far.
        test_dice: by class name, and ``mean``; on volumes the server never saw.
        interval: half-width of the 95 % interval of the mean over test volumes.
        outcome: of the training, in the server's words.
        train_seconds: from start to end of the training as the client sees it.
        measure_seconds: all test volumes over HTTP.
        seconds: the whole round.
    """

    planes: tuple[DrawnPlane, ...]
    planes_in_all: int
    test_dice: dict[str, float]
    interval: float
    outcome: str
    train_seconds: float
    measure_seconds: float
    seconds: float


@dataclass
class DemoRecord:
    """A whole run.

    Attributes:
        command: exactly as typed.
        data: what the volumes are, in plain words.
        class_names: background first.
        volumes: number of volumes the server has.
        test_volumes: number of volumes measured on.
        settings: options and machine, name to value, for the report.
        rounds: in order.
        seconds: the whole run.
    """

    command: str
    data: str
    class_names: tuple[str, ...]
    volumes: int
    test_volumes: int
    settings: dict[str, str]
    rounds: list[RoundRecord] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def planes(self) -> list[DrawnPlane]:
        """All drawn planes in order."""
        return [plane for record in self.rounds for plane in record.planes]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and text."""
        return {
            "command": self.command,
            "data": self.data,
            "class_names": list(self.class_names),
            "volumes": self.volumes,
            "test_volumes": self.test_volumes,
            "settings": self.settings,
            "seconds": round(self.seconds, 1),
            "rounds": [_round_json(record) for record in self.rounds],
        }


def _round_json(record: RoundRecord) -> dict[str, Any]:
    """One round with numbers rounded to what is worth reading."""
    return {
        "planes_in_all": record.planes_in_all,
        "test_dice": {name: round(value, 4) for name, value in record.test_dice.items()},
        "interval": round(record.interval, 4),
        "outcome": record.outcome,
        "train_seconds": round(record.train_seconds, 1),
        "measure_seconds": round(record.measure_seconds, 1),
        "seconds": round(record.seconds, 1),
        "planes": [_plane_json(plane) for plane in record.planes],
    }


def _plane_json(plane: DrawnPlane) -> dict[str, Any]:
    """One plane: where, why, what the server understood and what it cost."""
    question = plane.question
    return {
        "image": question.image_id,
        "axis": question.plane.axis,
        "index": question.plane.index,
        "reason": question.reason,
        "score": round(question.score, 4),
        "understood": plane.understood,
        "draft_dice": round(plane.draft_dice, 4),
        "seconds": round(plane.seconds, 2),
    }
