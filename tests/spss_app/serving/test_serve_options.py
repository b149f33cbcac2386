"""`spss serve` before anything is started: what it passes on, and what it refuses in one line."""

import json
import os
import stat
from pathlib import Path

import pytest

from spss.cli.main import main
from spss_app import serve
from spss_app.serving import private_temp
from spss_app.serving.settings import VARIABLE, ServeSettings, is_served, read_settings


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Runs the command up to the slow imports; gives what the server would be told."""
    (tmp_path / "studies").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(private_temp.tempfile, "tempdir", None)
    got = []

    def note(settings, args, app_folder):
        said = read_settings()
        tokens = Path(said.token_file).read_text(encoding="utf-8") if said.token_file else ""
        got.append((said, serve._arguments(args, app_folder), tokens))

    monkeypatch.setattr(serve, "_serve", note)

    def run(*options, status=0):
        places = ["--studies", str(tmp_path / "studies"), "--app", str(tmp_path / "app")]
        assert main(["serve", *places, *options]) == status
        return got.pop() if status == 0 else None

    return run


def test_the_defaults_are_this_machine_and_a_token(started, capsys):
    settings, arguments, tokens = started()
    assert (settings.host, settings.port, settings.login) == ("127.0.0.1", 8000, "token")
    assert arguments[arguments.index("--uvicorn_app") + 1] == "spss_app.serving.asgi:app"
    token = capsys.readouterr().err.split("user name): ")[1].split()[0]
    assert token in tokens
    assert token not in " ".join(arguments)  # other users see command lines
    assert not os.path.exists(settings.token_file)  # gone with the run


def test_options_reach_monai_label(started):
    options = ["--conf", "labels", "a,b", "--conf", "axis", "2", "--port", "9000"]
    options += ["--ssl-certfile", "c", "--ssl-keyfile", "k", "--access-log"]
    _, arguments, _ = started(*options)
    said = " ".join(arguments)
    assert "--conf labels a,b --conf axis 2" in said
    assert "--ssl_certfile c --ssl_keyfile k" in said
    assert "--port 9000" in said
    assert "--access_log" in said


def test_a_missing_token_file_is_made_and_its_token_not_printed(started, tmp_path, capsys):
    path = tmp_path / "tokens"
    settings, _, tokens = started("--token-file", str(path))
    assert settings.token_file == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tokens.split()[-3] not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--no-token", "--host", "0.0.0.0"], "this machine only"),
        (["--origin", "viewer"], "no origin"),
        (["--upload-gb", "0"], "--upload-gb"),
        (["--upload-gb", "nan"], "--upload-gb"),
        (["--conf", "axis", "7"], "--conf axis"),
        (["--studies", "/does/not/exist"], "no folder"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(started, capsys, options, words):
    started(*options, status=2)
    said = capsys.readouterr().err.strip()
    assert words in said
    assert "\n" not in said


def test_without_a_token_only_this_machine_is_served(started):
    assert started("--no-token")[0].login == "none"
    assert started("--realm")[0].login == "realm"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_loopback_is_known_by_its_names(host):
    settings = ServeSettings(host, 1, "none", "", (), 1.0)
    assert settings.is_loopback
    assert not ServeSettings("0.0.0.0", 1, "none", "", (), 1.0).is_loopback


def test_the_application_alone_does_not_start_unguarded(monkeypatch):
    from spss.errors import InputError

    monkeypatch.setenv(VARIABLE, json.dumps({"host": "x"}))
    assert is_served()
    with pytest.raises(InputError, match="spss serve"):
        read_settings()
