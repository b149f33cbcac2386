"""The classes of the task: from the options, else the data set, else the first submit."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from spss.annotation import BACKGROUND, check_class_names
from spss.annotation.durable import write_durably
from spss.errors import InputError
from spss_app.options import parse_labels

logger = logging.getLogger(__name__)


class TaskClasses:
    """Names of the classes, background first; empty until something names them.

    Args:
        configured: ``--conf labels``, without the background.
        dataset_json: Decathlon or nnU-Net description; may not exist.
        remembered: where the names of the first submit are kept.
    """

    def __init__(self, configured: Sequence[str], dataset_json: Path, remembered: Path) -> None:
        self._file = remembered
        self._fixed = (BACKGROUND, *configured) if configured else _from_dataset(dataset_json)

    @property
    def names(self) -> tuple[str, ...]:
        """Background first; empty if nothing has named the classes yet."""
        return self._fixed or self._remembered()

    @property
    def foreground(self) -> list[str]:
        """The names that viewers list."""
        return list(self.names[1:])

    def name_by_first_submit(self, foreground: Sequence[str]) -> tuple[str, ...]:
        """Fixes the classes, if nothing has yet; returns the names that hold."""
        if not self.names:
            names = check_class_names((BACKGROUND, *foreground))
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._file, json.dumps(names, ensure_ascii=False).encode())
        return self.names

    def _remembered(self) -> tuple[str, ...]:
        try:
            return check_class_names(json.loads(self._file.read_bytes()))
        except (OSError, ValueError, TypeError):
            return ()


def _from_dataset(path: Path) -> tuple[str, ...]:
    """``{"0": "background", "1": "liver"}`` or nnU-Net's ``{"background": 0, "liver": 1}``."""
    try:
        labels = json.loads(path.read_bytes())["labels"]
        by_name = all(isinstance(value, int) for value in labels.values())
        numbered = {name: int(n) for name, n in (labels if by_name else _turned(labels)).items()}
        if sorted(numbered.values()) != list(range(len(numbered))):
            msg = "the numbers have gaps"
            raise ValueError(msg)
        zero = [name for name, number in numbered.items() if number == 0]
        return (BACKGROUND, *parse_labels({n: v for n, v in numbered.items() if n not in zero}))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, InputError) as error:
        logger.warning("dataset.json does not name the classes (%s); it is passed over.", error)
        return ()


def _turned(labels: dict[str, str]) -> dict[str, str]:
    return {str(name): number for number, name in labels.items()}
