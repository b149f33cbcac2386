import pytest

from spss.errors import InputError
from spss_apps.client import answering, connect


def refuse(message):
    from monailabel.client.client import MONAILabelClientException

    with answering("segment case1"):
        raise MONAILabelClientException(1, message)


@pytest.fixture(autouse=True)
def client(tmp_path):
    """Imports MONAI Label's client once, without its deprecation warning."""
    return connect("http://127.0.0.1:1", downloads=tmp_path / "downloads")


def test_the_server_s_sentence_is_what_is_told():
    with pytest.raises(InputError, match=r"refused to segment case1: Image NOT Found$"):
        refuse('Status: 404; Response: {"detail": "Image NOT Found"}')


def test_an_answer_that_is_no_json_is_told_as_it_is():
    with pytest.raises(InputError, match="Internal Server Error"):
        refuse("Status: 500; Response: Internal Server Error")


def test_other_errors_pass_through():
    with pytest.raises(OSError), answering("train"):  # noqa: PT011
        raise OSError


def test_downloads_have_a_folder_of_their_own(client, tmp_path):
    assert (tmp_path / "downloads").is_dir()
    assert client._tmpdir == str(tmp_path / "downloads")
