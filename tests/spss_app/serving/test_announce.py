"""What a plain start says."""

import pytest

from spss_app.serving.announce import announce_plain_start, lines_of_plain_start


@pytest.mark.parametrize(
    "options", [[], ["-i", "0.0.0.0"], ["--host", "10.0.0.5"], ["--host=10.0.0.5"]]
)
def test_three_lines_say_who_gets_in_and_how_to_close_it(options):
    lines = lines_of_plain_start(["start_server", *options], login=False, port=8000)
    assert len(lines) == 3
    assert "no login" in lines[0]
    assert "every machine of the network" in lines[0]
    assert "spss serve" in lines[2]


@pytest.mark.parametrize("options", [["--host", "127.0.0.1"], ["-i", "localhost"]])
def test_what_is_closed_already_is_not_called_open(options):
    lines = lines_of_plain_start(options, login=True, port=9000)
    assert len(lines) == 3
    assert "this machine" in lines[0]
    assert "asks for a login" in lines[0]


def test_they_are_printed_where_the_log_is_read(capsys):
    announce_plain_start(login=False, port=8000)
    assert capsys.readouterr().err.count("\n") == 3
