"""Whose request is being answered."""

from __future__ import annotations

from contextvars import ContextVar

WHO: ContextVar[str] = ContextVar("spss_who", default="")
"""Name of the logged-in user of ``spss serve``; ``""`` without a login."""
