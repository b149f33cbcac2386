"""MONAI Label's token check for a realm (Keycloak), mended.

MONAI Label 0.8.5 decodes without naming an algorithm, which PyJWT refuses for every token; it does
not look whom a token was issued for; and a token without the roles' claim is an internal error.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import jwt
import requests
from fastapi import HTTPException
from monailabel.config import settings
from monailabel.endpoints.user import auth
from monailabel.endpoints.user.auth import User

KEY_SECONDS = 600.0
"""A realm's key is asked for again after this time, so that a changed one is noticed."""

_LEEWAY_SECONDS = 30
_guard = threading.Lock()
_keys: dict[str, tuple[float, str]] = {}


def mend_realm() -> None:
    """Replaces MONAI Label's token check by the one below, if authentication is switched on."""
    if settings.MONAI_LABEL_AUTH_ENABLE and auth.from_token.__module__ == auth.__name__:
        auth.from_token = user_of_realm_token


def user_of_realm_token(token: str) -> User:
    """The user that a realm's token names.

    Accepted are tokens signed with the realm's key by RS256, with an end that is not past, issued
    for MONAI Label's client id (``aud``, or ``azp`` as Keycloak writes it).

    Raises:
        jwt.InvalidTokenError: the token is none of these.
        HTTPException: 503, the realm does not answer.
    """
    claims = jwt.decode(
        token,
        _public_key(settings.MONAI_LABEL_AUTH_REALM_URI),
        algorithms=["RS256"],
        leeway=_LEEWAY_SECONDS,
        options={"require": ["exp"], "verify_aud": False},  # below: Keycloak's is in azp
    )
    _check_audience(claims, settings.MONAI_LABEL_AUTH_CLIENT_ID)
    name = claims.get(settings.MONAI_LABEL_AUTH_TOKEN_USERNAME) or claims.get("sub")
    if not isinstance(name, str):
        msg = "The token names no user."
        raise jwt.InvalidTokenError(msg)
    return User(
        username=name,
        email=_text(claims.get(settings.MONAI_LABEL_AUTH_TOKEN_EMAIL)),
        name=_text(claims.get(settings.MONAI_LABEL_AUTH_TOKEN_NAME)),
        roles=_roles(claims, settings.MONAI_LABEL_AUTH_TOKEN_ROLES),
    )


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if client_id not in named and claims.get("azp") != client_id:
        msg = "The token was issued for another client."
        raise jwt.InvalidAudienceError(msg)


def _roles(claims: Mapping[str, Any], path: str) -> list[str]:
    """The roles under a path like ``realm_access#roles``; none if the token has no such claim."""
    value: Any = claims
    for key in path.split("#"):
        value = value.get(key) if isinstance(value, Mapping) else None
    return [role for role in value if isinstance(role, str)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _public_key(realm: str) -> str:
    with _guard:
        asked_at, key = _keys.get(realm, (0.0, ""))
        if not key or time.monotonic() - asked_at > KEY_SECONDS:
            key = _ask_key(realm)
            _keys[realm] = (time.monotonic(), key)
        return key


def _ask_key(realm: str) -> str:
    try:
        answer = requests.get(realm, timeout=settings.MONAI_LABEL_AUTH_TIMEOUT)
        answer.raise_for_status()
        body = answer.json()["public_key"]
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise HTTPException(503, "The login service does not answer: try again later.") from error
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----"
