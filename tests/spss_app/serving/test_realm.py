"""Tokens of a login service: what MONAI Label's check does not look at."""

import time

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import HTTPException
from monailabel.config import settings
from monailabel.endpoints.user import auth

from spss_app.serving import realm
from spss_app.serving.answers import RefusedError
from spss_app.serving.login import realm_login

CLIENT = settings.MONAI_LABEL_AUTH_CLIENT_ID
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Answer:
    """What the login service says."""

    def __init__(self, body, status=200):
        self.body, self.status_code = body, status

    def json(self):
        return self.body

    def raise_for_status(self):
        if self.status_code >= 400:
            raise requests.HTTPError(str(self.status_code))


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def public(key):
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return "".join(pem.splitlines()[1:-1])


@pytest.fixture(autouse=True)
def service(public, monkeypatch):
    monkeypatch.setattr(realm, "_keys", {})
    monkeypatch.setattr(requests, "get", lambda *_, **__: Answer({"public_key": public}))


def claims(**more):
    now = int(time.time())
    roles = {"realm_access": {"roles": ["monailabel-annotator"]}}
    return {"preferred_username": "ada", "exp": now + 60, "azp": CLIENT, **roles, **more}


def sign(key, payload, algorithm="RS256"):
    return jwt.encode(payload, key, algorithm=algorithm)


@pytest.mark.parametrize("audience", [{"azp": CLIENT}, {"azp": "x", "aud": ["account", CLIENT]}])
def test_a_valid_token_names_its_user_and_roles(key, audience):
    user = realm.user_of_realm_token(sign(key, claims(**audience)))
    assert user.username == "ada"
    assert user.roles == ["monailabel-annotator"]


@pytest.mark.parametrize(
    "more",
    [
        {"exp": 1},
        {"exp": None},
        {"azp": "another-client"},
        {"azp": None, "aud": "another-client"},
        {"preferred_username": None},
        {"preferred_username": {"$ne": ""}},
    ],
)
def test_a_token_that_is_past_or_for_somebody_else_is_refused(key, more):
    payload = {k: v for k, v in claims(**more).items() if v is not None}
    with pytest.raises(jwt.InvalidTokenError):
        realm.user_of_realm_token(sign(key, payload))


def test_another_key_or_algorithm_is_refused(public):
    for token in (
        sign(OTHER_KEY, claims()),
        sign(None, claims(), "none"),
        sign("x" * 32, claims(), "HS256"),
        "",
        "a.b.c",
    ):
        with pytest.raises(jwt.InvalidTokenError):
            realm.user_of_realm_token(token)


@pytest.mark.parametrize("roles", [{}, {"realm_access": None}, {"realm_access": {"roles": "x"}}])
def test_a_token_without_roles_has_none(key, roles):
    payload = {k: v for k, v in claims().items() if k != "realm_access"} | roles
    assert realm.user_of_realm_token(sign(key, payload)).roles == []


@pytest.mark.parametrize("body", [{}, [], None])
def test_a_service_that_does_not_answer_is_503(key, monkeypatch, body):
    monkeypatch.setattr(requests, "get", lambda *_, **__: Answer(body))
    with pytest.raises(HTTPException) as refused:
        realm.user_of_realm_token(sign(key, claims()))
    assert refused.value.status_code == 503


def test_a_changed_key_is_asked_for_again(key, monkeypatch):
    realm.user_of_realm_token(sign(key, claims()))
    monkeypatch.setattr(requests, "get", lambda *_, **__: pytest.fail("asked at once"))
    realm.user_of_realm_token(sign(key, claims()))
    monkeypatch.setattr(realm, "KEY_SECONDS", -1)
    pem = OTHER_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    new = "".join(pem.decode().splitlines()[1:-1])
    monkeypatch.setattr(requests, "get", lambda *_, **__: Answer({"public_key": new}))
    assert realm.user_of_realm_token(sign(OTHER_KEY, claims())).username == "ada"


def test_the_check_is_mended_only_where_authentication_is_on(monkeypatch):
    before = auth.from_token
    monkeypatch.setattr(auth, "from_token", before)
    realm.mend_realm()
    assert auth.from_token is before
    monkeypatch.setattr(settings, "MONAI_LABEL_AUTH_ENABLE", True)
    realm.mend_realm()
    assert auth.from_token is realm.user_of_realm_token


@pytest.mark.parametrize(("status", "answered"), [(401, 401), (400, 401), (500, 503)])
def test_a_wrong_password_is_401_and_a_broken_service_503(monkeypatch, status, answered):
    monkeypatch.setattr(auth, "token_uri", lambda: "http://login.example/token")
    monkeypatch.setattr(requests, "post", lambda *_, **__: Answer({}, status))
    with pytest.raises(RefusedError) as refused:
        realm_login("ada", "x")
    assert refused.value.answer.status_code == answered


def test_a_login_returns_the_services_token_and_nothing_else(monkeypatch):
    body = {"access_token": "t", "token_type": "Bearer", "refresh_token": "secret"}
    monkeypatch.setattr(auth, "token_uri", lambda: "http://login.example/token")
    monkeypatch.setattr(requests, "post", lambda *_, **__: Answer(body))
    assert realm_login("ada", "x") == {"access_token": "t", "token_type": "Bearer"}
