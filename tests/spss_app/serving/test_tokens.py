"""Who holds which token."""

import stat

import pytest

from spss.errors import InputError
from spss_app.serving.tokens import Holder, make_token_file, new_token, read_tokens

LONG = "a-token-that-is-long-enough"


def write(tmp_path, text, mode=0o600):
    path = tmp_path / "tokens"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_each_line_is_a_person_with_a_role(tmp_path):
    text = f"# people\n{LONG}1 annotator Ada Lovelace\n\n{LONG}2  # the admin\n"
    tokens = read_tokens(write(tmp_path, text))
    assert tokens.holder(f"{LONG}1") == Holder("Ada Lovelace", "annotator")
    assert tokens.holder(f"{LONG}2") == Holder("admin", "admin")


@pytest.mark.parametrize("wrong", ["", LONG, f"{LONG}1 ", f"{LONG}1\0", "\udcff", LONG.upper()])
def test_nothing_but_the_token_is_the_token(tmp_path, wrong):
    assert read_tokens(write(tmp_path, f"{LONG}1")).holder(wrong) is None


def test_a_made_file_is_its_owners_alone_and_can_be_read(tmp_path):
    make_token_file(tmp_path / "tokens")
    assert stat.S_IMODE((tmp_path / "tokens").stat().st_mode) == 0o600
    token = (tmp_path / "tokens").read_text(encoding="utf-8").splitlines()[-1].split()[0]
    assert read_tokens(tmp_path / "tokens").holder(token) == Holder("admin", "admin")
    assert len(token) >= 43
    assert token != new_token()


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("", 0o600, "no token"),
        ("short", 0o600, "at least 16"),
        (f"{LONG} king", 0o600, "'king' is no role"),
        (LONG, 0o644, "chmod 600"),
        (LONG, 0o640, "chmod 600"),
    ],
)
def test_a_file_that_guards_nothing_is_refused(tmp_path, text, mode, words):
    with pytest.raises(InputError, match=words):
        read_tokens(write(tmp_path, text, mode))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        read_tokens(tmp_path / "nowhere")
    with pytest.raises(InputError, match="cannot be written"):
        make_token_file(tmp_path / "nowhere" / "tokens")
