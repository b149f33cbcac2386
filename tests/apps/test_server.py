import sys

from spss_apps.server import ServerProcess


def test_the_plain_server_is_monai_labels_own(tmp_path):
    server = ServerProcess(
        tmp_path / "app", tmp_path, log=tmp_path / "log", conf={"axis": "2"}, port=8123
    )
    words = server._command
    assert words[:4] == (sys.executable, "-m", "monailabel.main", "start_server")
    assert words[words.index("--port") + 1] == "8123"
    assert words[words.index("--conf") + 1 :][:2] == ("axis", "2")
    assert server.headers == {}


def test_with_a_token_file_it_is_the_guarded_server(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("# token role name\nsecret-token annotator anna\n", encoding="utf-8")
    server = ServerProcess(
        tmp_path / "app", tmp_path, log=tmp_path / "log", token_file=tokens, port=8123
    )
    words = server._command
    assert "serve" in words
    assert words[words.index("--token-file") + 1] == str(tokens)
    assert words[words.index("--port") + 1] == "8123"
    assert server.headers == {"Authorization": "Bearer secret-token"}
