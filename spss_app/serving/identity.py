"""Who sends a request, by its token."""

from __future__ import annotations

import base64
import binascii

import jwt
from fastapi import HTTPException
from monailabel.config import settings
from monailabel.endpoints.user.auth import User
from starlette.concurrency import run_in_threadpool

from spss_app.serving.answers import RefusedError, Scope, header
from spss_app.serving.users import find_user, has_role

_KEY = "spss.user"


async def identify(scope: Scope) -> User:
    """The user of a request, found once.

    Raises:
        RefusedError: 401, there is no valid token; 503, the login service does not answer.
    """
    if _KEY not in scope:
        try:
            scope[_KEY] = await run_in_threadpool(find_user, token_of(scope))
        except jwt.InvalidTokenError as error:
            raise login_needed() from error
        except HTTPException as error:
            raise RefusedError(error.status_code, str(error.detail)) from error
    user: User = scope[_KEY]
    return user


async def demand_role(scope: Scope, role: str) -> None:
    """Refuses a request of a user without the role; without authentication everybody has it.

    Raises:
        RefusedError: 401 or 403.
    """
    if settings.MONAI_LABEL_AUTH_ENABLE and not has_role(await identify(scope), role):
        raise RefusedError(403, f"This needs the role {role!r}: ask who runs the server.")


def token_of(scope: Scope) -> str:
    """The bearer token; of HTTP basic, which browsers can ask for by themselves, the password."""
    kind, _, value = header(scope, "authorization").partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def login_needed() -> RefusedError:
    """401; browsers then ask for a name and a password."""
    return RefusedError(
        401,
        "A token is needed: as the password of a login with any name, or as a bearer token.",
        {"WWW-Authenticate": 'Basic realm="SPSS: any name, the token as password"'},
    )
