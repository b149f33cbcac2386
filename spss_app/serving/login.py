"""Nothing is answered without a token, and MONAI Label's clients can get theirs the usual way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt
import requests
from monailabel.config import settings
from monailabel.endpoints.user import auth
from monailabel.endpoints.user.auth import User
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse

from spss_app.serving.answers import AsgiApp, Receive, RefusedError, Scope, Send
from spss_app.serving.identity import identify, login_needed, token_of
from spss_app.serving.tokens import Tokens
from spss_app.serving.users import user_with_role
from spss_app.serving.who import WHO

Exchange = Callable[[str, str], dict[str, Any]]
"""Takes name and password; returns ``access_token`` and ``token_type`` or raises RefusedError."""

_MOST_FIELDS = 10
_OPEN = ("/auth/", "/auth", "/favicon.ico")


class Login:
    """Lets a request pass if it brings a valid token.

    ``GET /auth/`` and ``POST /auth/token`` are what Slicer's module asks before it shows its login
    dialog; they are answered here, without a token.
    """

    def __init__(self, app: AsgiApp, *, exchange: Exchange) -> None:
        self.app = app
        self.exchange = exchange

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with the token as MONAI Label reads it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == "/auth/token":
            await (await self._token(Request(scope, receive)))(scope, receive, send)
        elif scope["path"] in _OPEN:
            await self.app(scope, receive, send)
        else:
            user = await identify(scope)
            WHO.set(user.username)
            await self.app(_with_bearer(scope), receive, send)

    async def _token(self, request: Request) -> JSONResponse:
        if request.method != "POST":
            raise RefusedError(405, "Send name and password as a form.", {"Allow": "POST"})
        try:
            form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
        except (MultiPartException, HTTPException, KeyError, ValueError) as error:
            raise RefusedError(422, "The form cannot be read.") from error
        name, password = form.get("username"), form.get("password")
        if not isinstance(name, str) or not isinstance(password, str):
            raise RefusedError(422, "Send the fields username and password.")
        return JSONResponse(await run_in_threadpool(self.exchange, name, password))


def use_tokens(tokens: Tokens) -> Exchange:
    """Makes MONAI Label's own role checks read our tokens; returns how a login gets one."""

    def user_of_token(token: str) -> User:
        """Replaces MONAI Label's reading of a realm's tokens."""
        holder = tokens.holder(token)
        if holder is None:
            msg = "unknown token"
            raise jwt.InvalidTokenError(msg)
        return user_with_role(holder.name, holder.role)

    def exchange(name: str, password: str) -> dict[str, Any]:
        """The token is the password: a login hands it back as clients expect it."""
        if tokens.holder(password) is None:
            raise login_needed()
        return {"access_token": password, "token_type": "bearer"}

    auth.from_token = user_of_token
    return exchange


def realm_login(name: str, password: str) -> dict[str, Any]:
    """Asks the realm for a token. MONAI Label answers a wrong password with status 500.

    Raises:
        RefusedError: 401, the realm refused; 503, it does not answer.
    """
    form = {
        "client_id": settings.MONAI_LABEL_AUTH_CLIENT_ID,
        "username": name,
        "password": password,
        "grant_type": "password",
    }
    try:
        address = auth.token_uri()
        answer = requests.post(address, data=form, timeout=settings.MONAI_LABEL_AUTH_TIMEOUT)
        if answer.status_code in (400, 401, 403):
            raise RefusedError(401, "The login service does not know this name and password.")
        answer.raise_for_status()
        found = answer.json()
        return {key: found[key] for key in ("access_token", "token_type")}
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise RefusedError(503, "The login service does not answer: try again later.") from error


def _with_bearer(scope: Scope) -> Scope:
    kept = [(key, value) for key, value in scope["headers"] if key.lower() != b"authorization"]
    bearer = (b"authorization", b"Bearer " + token_of(scope).encode("latin-1", "replace"))
    return {**scope, "headers": [*kept, bearer]}
