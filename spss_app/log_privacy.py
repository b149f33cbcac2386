"""No patient's name, image id or path in the log at INFO.

Two means, since neither does it alone: MONAI Label's own chatter (paths, whole requests) is not
logged at INFO, and in every line that is logged, by whatever library, ids become pseudonyms.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus

_SHORTEST = 4
"""Shorter ids, such as ``7``, would be found in every number of the log; they stay."""

_PATIENT = re.compile(r"(?i)patient")
_DICOM_UID = re.compile(r"(?<![\w.])[0-2](?:\.\d+){5,}(?![\w.])")
_ACCESS_LOG = "uvicorn.access"
_TALKATIVE = (
    "monailabel.datastore",
    "monailabel.endpoints",
    "monailabel.interfaces",
    "monailabel.main",
    "monailabel.utils.async_tasks",
    "monailabel.utils.sessions",
)
"""MONAI Label's modules that write ids, paths and whole requests at INFO."""


def keep_ids_out_of_logs() -> None:
    """Lets MONAI Label's talkative modules only warn, unless the log is to hold all (DEBUG)."""
    if logging.getLogger().getEffectiveLevel() <= logging.DEBUG:
        return
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def hide_names(names: Callable[[], Iterable[str]]) -> None:
    """Puts the filter on every handler that logs now; the newest app's names hold.

    Args:
        names: what must not be logged, such as `names_in`; asked again for each line.
    """
    _FILTER.names = names
    loggers = [
        logging.getLogger(),
        *(logging.getLogger(n) for n in logging.root.manager.loggerDict),
    ]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if _FILTER not in handler.filters:
            handler.addFilter(_FILTER)


def names_in(objects: dict[str, Any]) -> list[str]:
    """Ids of an index of images, and what it says of the patients."""
    found = list(objects)
    for obj in list(objects.values()):
        found += [str(v) for k, v in obj.image.info.items() if _PATIENT.search(str(k)) and v]
    return found


def pseudonym(name: str) -> str:
    """``image-3f2a91c0``: the same for the same id, so that lines can be matched."""
    return f"image-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


class HiddenNames(logging.Filter):
    """Replaces names in a record's text, its arguments and its traceback; keeps every record."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Callable[[], Iterable[str]] = tuple
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self._table: dict[str, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Changes the record in place."""
        try:
            self._learn()
            self._clean(record)
        except Exception:  # a line of log must never fail a request
            record.msg, record.args = "a line that could not be checked for names", ()
            record.exc_info = record.exc_text = None
        return True

    def hidden(self, text: str) -> str:
        """The text without names."""
        if self._pattern is not None:
            text = self._pattern.sub(lambda found: self._table[found.group()], text)
        return _DICOM_UID.sub(lambda found: pseudonym(found.group()), text)

    def _learn(self) -> None:
        """Names that came since, longest first: one that holds another is replaced as a whole."""
        # an id stays hidden after its image was removed
        names = self._known.union(name for name in self.names() if len(name) >= _SHORTEST)
        if names == self._known:
            return
        self._table = {form: pseudonym(name) for name in names for form in _forms(name)}
        longest_first = sorted(self._table, key=len, reverse=True)
        either = "|".join(map(re.escape, longest_first))
        self._pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)") if either else None
        self._known = names

    def _clean(self, record: logging.LogRecord) -> None:
        """The record's text and traceback without names."""
        if record.name == _ACCESS_LOG and isinstance(record.args, tuple):
            # its formatter takes the arguments apart
            record.args = tuple(self.hidden(a) if isinstance(a, str) else a for a in record.args)
        else:
            record.msg, record.args = self.hidden(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = self.hidden(record.exc_text)


def _forms(name: str) -> set[str]:
    """The name, and how it looks in an address, a folder's name and a quoted string."""
    folder = quote(name, safe=" ").replace(" ", "_")
    return {name, quote(name), quote(name, safe=""), quote_plus(name), folder} | {repr(name)[1:-1]}


_FILTER = HiddenNames()
