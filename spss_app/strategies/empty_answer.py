"""Why "next sample" has none to give, for those who look: viewers only understand an empty answer.

MONAI Label's endpoint answers ``{}``, which Slicer and OHIF show as "nothing left"; anything in it
they would take for a sample. So the reason goes into a header of the answer.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from fastapi.responses import JSONResponse

logger = logging.getLogger(__name__)

HEADER = "X-SPSS-Reason"
_MARK = "_spss_says_why"
_WHY: ContextVar[str] = ContextVar("why_no_sample", default="")


def nothing_left(reason: str) -> dict[str, Any]:
    """The empty answer; ``reason`` is logged and sent along."""
    logger.info("No next sample: %s", reason)
    _WHY.set(reason)
    return {}


def install_reasons() -> None:
    """Puts the header on empty answers of the running server, once."""
    module = sys.modules.get("monailabel.endpoints.activelearning")
    sample = getattr(module, "sample", None)
    if sample is not None and not getattr(sample, _MARK, False):
        vars(module)["sample"] = _with_reason(sample)


def _with_reason(sample: Callable[..., Any]) -> Callable[..., Any]:
    """MONAI Label's answer ``{}`` has no place for a reason; a header has."""

    @functools.wraps(sample)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        """The sample, or the empty answer with its header."""
        _WHY.set("")
        answer = sample(*args, **kwargs)
        if answer or not _WHY.get():
            return answer
        # headers are Latin-1; image names need not be
        text = _WHY.get().encode("ascii", "replace").decode()
        return JSONResponse({}, headers={HEADER: text})

    setattr(wrapper, _MARK, True)
    return wrapper
