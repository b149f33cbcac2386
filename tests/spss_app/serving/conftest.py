"""Guards around a small application, without MONAI Label's endpoints."""

import warnings

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

with warnings.catch_warnings():  # MONAI Label's own imports are its authors' business
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient
    from monailabel.config import settings
    from monailabel.endpoints.user import auth

    from spss_app.serving.guards import Limits, guard_served
    from spss_app.serving.login import use_tokens
    from spss_app.serving.tokens import Holder, Tokens

ADMIN, ANNOTATOR, USER = ("token-of-the-admin", "token-of-an-annotator", "token-of-a-user")


async def _echo(request: Request) -> JSONResponse:
    body = await request.body()
    return JSONResponse(
        {
            "path": request.url.path,
            "query": request.url.query,
            "origin": request.headers.get("origin"),
            "authorization": request.headers.get("authorization"),
            "bytes": len(body),
        }
    )


@pytest.fixture
def echo():
    """Answers every request with what arrived."""
    methods = ["GET", "POST", "PUT", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", _echo, methods=methods)])


@pytest.fixture
def tokens():
    return Tokens(
        {
            ADMIN: Holder("root", "admin"),
            ANNOTATOR: Holder("ada", "annotator"),
            USER: Holder("eve", "user"),
        }
    )


@pytest.fixture
def with_login(monkeypatch):
    """MONAI Label's switch for authentication, and its token check back afterwards."""
    monkeypatch.setattr(settings, "MONAI_LABEL_AUTH_ENABLE", True)
    monkeypatch.setattr(auth, "from_token", auth.from_token)


@pytest.fixture
def guarded(echo, tokens, with_login):
    """The whole wall around the small application."""

    def build(*, login=True, **limits):
        exchange = use_tokens(tokens) if login else None
        guards = guard_served(echo, Limits(**limits), exchange)
        return TestClient(guards, base_url="http://127.0.0.1:8000")

    return build


@pytest.fixture
def as_user():
    """The header of a role's token."""

    def bearer(role):
        token = {"admin": ADMIN, "annotator": ANNOTATOR, "user": USER}[role]
        return {"Authorization": f"Bearer {token}"}

    return bearer
