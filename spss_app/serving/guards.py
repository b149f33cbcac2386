"""The guards in their order, for the server of ``spss serve`` and for a plain start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from monailabel.config import settings

from spss_app.serving.answers import AsgiApp, Refusals
from spss_app.serving.body_limit import DEFAULT_UPLOAD_GB, BodyLimit
from spss_app.serving.clean_path import CleanPath
from spss_app.serving.dicom_proxy import DicomProxy
from spss_app.serving.healthz import Healthz
from spss_app.serving.login import Exchange, Login
from spss_app.serving.origins import Hosts, Origins, check_origin, host_name
from spss_app.serving.routes import AdminRoutes, FrontPage

_MARK = "_spss_guarded"


@dataclass(frozen=True)
class Limits:
    """What the guards let pass.

    Attributes:
        origins: web pages that may call, beside the server's own.
        hosts: names under which the server may be called; None takes any.
        upload_gb: largest upload.
    """

    origins: Sequence[str] = ()
    hosts: Sequence[str] | None = None
    upload_gb: float = DEFAULT_UPLOAD_GB


def guard_plain(app: FastAPI) -> None:
    """Puts the guards that change nothing for viewers before a running server, once.

    A middleware cannot be added any more when the app is loaded, but the stack of them can be
    wrapped: it is looked up for each request.
    """
    if getattr(app, _MARK, False) or app.middleware_stack is None:
        return
    setattr(app, _MARK, True)
    origins = [check_origin(str(origin)) for origin in settings.MONAI_LABEL_CORS_ORIGINS]
    limits = Limits(origins)
    behind = _limited(AdminRoutes(DicomProxy(app.middleware_stack)), limits)
    guards: AsgiApp = Refusals(Healthz(Origins(CleanPath(behind), named=limits.origins)))
    app.middleware_stack = guards


def guard_served(app: FastAPI, limits: Limits, exchange: Exchange | None) -> AsgiApp:
    """The whole wall: names, origins, login, sizes, roles, the proxy.

    Args:
        app: MONAI Label's application.
        limits: what may pass.
        exchange: how a login gets its token; None lets everybody in.
    """
    setattr(app, _MARK, True)  # the application itself needs no guards of a plain start
    behind: AsgiApp = FrontPage(AdminRoutes(DicomProxy(app)))
    if exchange is not None:
        behind = Login(behind, exchange=exchange)
    behind = _limited(behind, limits)
    behind = Origins(CleanPath(behind), named=limits.origins)
    if limits.hosts is not None:
        named = [host_name(origin) for origin in limits.origins]
        behind = Hosts(behind, names=[*limits.hosts, *named])
    return Refusals(Healthz(behind))


def _limited(app: AsgiApp, limits: Limits) -> AsgiApp:
    return BodyLimit(app, upload_bytes=int(limits.upload_gb * 1024**3))
