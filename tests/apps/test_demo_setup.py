import pytest

from spss.datasets import make_phantoms, split
from spss.errors import InputError
from spss_apps.demo_setup import DemoOptions, empty_folder, hold_out, prepare

SHAPE = (12, 12, 12)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_phantoms(root, 10, shape=SHAPE, seed=1)
    return root


def test_the_server_gets_no_label_and_no_test_volume(data, tmp_path):
    demo = prepare(DemoOptions(data=data, out=tmp_path / "out"))
    given = {path.name for path in demo.studies.rglob("*") if path.is_file()}
    assert given == {case.image.name for case in demo.pool}
    assert not {case.image.name for case in demo.test} & given


def test_the_test_volumes_are_the_test_split(data, tmp_path):
    demo = prepare(DemoOptions(data=data, out=tmp_path / "out", test_volumes=1))
    from spss.datasets import open_decathlon

    dataset = open_decathlon(data)
    pool, test = hold_out(dataset)
    assert {case.name for case in test} == set(split(dataset)["test"])
    assert demo.test == test[:1]
    assert len(pool) + len(test) == 10


def test_the_app_is_a_copy_that_has_its_entry_file(data, tmp_path):
    demo = prepare(DemoOptions(data=data, out=tmp_path / "out"))
    assert (demo.app / "main.py").is_file()
    assert demo.app.is_relative_to(tmp_path)


def test_a_second_run_replaces_the_first(data, tmp_path):
    options = DemoOptions(data=data, out=tmp_path / "out")
    stale = prepare(options).studies / "labels"
    stale.mkdir()
    prepare(options)
    assert not stale.exists()


def test_a_folder_that_no_demo_made_is_never_emptied(tmp_path):
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work", encoding="utf-8")
    with pytest.raises(InputError, match="--out"):
        empty_folder(tmp_path)
    assert precious.read_text(encoding="utf-8") == "years of work"


def test_too_few_volumes_are_refused(tmp_path):
    dataset = make_phantoms(tmp_path, 1, shape=SHAPE)
    with pytest.raises(InputError, match="5 or more"):
        hold_out(dataset)
