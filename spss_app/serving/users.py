"""Who may do what: MONAI Label's four roles, each with the rights of those below it."""

from __future__ import annotations

from collections.abc import Sequence

from monailabel.config import settings
from monailabel.endpoints.user import auth
from monailabel.endpoints.user.auth import User

ROLES = ("user", "annotator", "reviewer", "admin")
"""From the fewest rights to all."""


def user_with_role(name: str, role: str) -> User:
    """A user with a role and all below it."""
    rank = ROLES.index(role)
    return User(username=name, roles=[_setting(each) for each in ROLES[: rank + 1]])


def has_role(user: User, role: str) -> bool:
    """True if the user has the role under the name that MONAI Label's settings give it."""
    return _setting(role) in user.roles


def find_user(token: str) -> User:
    """The user of a token; without authentication MONAI Label's default, who may do all.

    Raises:
        jwt.InvalidTokenError: the token is no valid one.
        fastapi.HTTPException: 503, the realm does not answer.
    """
    # looked up at each call: `use_tokens` and `mend_realm` replace it
    user: User = auth.from_token(token)
    return user


def _setting(role: str) -> str:
    return str(getattr(settings, f"MONAI_LABEL_AUTH_ROLE_{role.upper()}"))


def role_names(roles: Sequence[str] = ROLES) -> list[str]:
    """The roles under the names that MONAI Label's settings give them."""
    return [_setting(role) for role in roles]
