"""Training through the server: progress, the gate, resuming, and what a kill leaves."""

import json
import shutil

import pytest

from spss.annotation import Plane

FAST = {"method": "masked", "iterations": 2, "device": "cpu", "seed": 1}
INFO = [{"name": "front", "idx": 1}, {"name": "back", "idx": 2}]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # TensorBoard, MONAI and torch warn among themselves
]


class Interrupted(BaseException):
    """The process is gone: nobody catches this."""


def _annotate(server, folder, only_plane):
    for image_id in ("phantom_000", "phantom_001"):
        label = only_plane(server.truth(image_id), Plane(2, 7))
        server.submit_array(image_id, label, folder, label_info=INFO)


def _train(server, **params):
    return server.http.post("/train/spss", params={"run_sync": True}, json={**FAST, **params})


def test_a_training_that_was_killed_is_not_shown_as_running_for_ever(server):
    trainer = server.app._trainers["spss"]
    assert "total_time" not in trainer.stats()
    trainer.status.start(50)  # all that a training killed for its memory leaves
    assert "total_time" not in trainer.stats()  # its process may just be starting
    trainer.status.progress({"start_ts": 1000})
    stats = trainer.stats()
    assert "total_time" in stats  # which viewers take for the end
    assert "ended from outside" in stats["outcome"]


def _models(server):
    return server.app.project.models


@pytest.fixture(scope="module")
def trained(tmp_path_factory, phantom_files, only_plane, serve_in):
    """A studies folder whose training was interrupted before publishing, and then finished."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(phantom_files, folder / "studies")
    server = serve_in(folder, folder / "studies")
    with pytest.MonkeyPatch.context() as patch:
        _annotate(server, folder, only_plane)
        patch.setattr(type(_models(server)), "keep_version", _interrupt)
        with pytest.raises(Interrupted):
            server.app._trainers["spss"](dict(FAST))
        assert _models(server).published() is None
    answer = _train(server, iterations=3)
    assert answer.status_code == 200, answer.text
    return folder / "studies"


def _interrupt(self, record):
    raise Interrupted


@pytest.fixture
def trained_server(trained, serve, tmp_path):
    shutil.copytree(trained, tmp_path / "studies")
    return serve(tmp_path / "studies")


def test_a_training_publishes_a_network_that_then_answers(trained_server, tmp_path):
    server = trained_server
    stats = server.http.get("/info/").json()["train_stats"]["spss"]
    assert stats["epoch"] == stats["total_epochs"]
    assert stats["total_time"]
    assert stats["outcome"].startswith("The new network is in use")
    said = server.infer("spss", "phantom_003", output="json").json()
    assert said["message"] == "predicted by the network"
    assert server.infer_label("spss", "phantom_003", tmp_path, ".nrrd").shape == (16, 18, 14)
    assert server.http.get("/model/spss").status_code == 200


def test_a_training_scores_planes_for_the_next_sample(trained_server):
    version = _models(trained_server).published().version
    scores = trained_server.app.project.scores.read("phantom_003")
    assert scores["model"] == version
    assert len(scores["scores"]["2"]["score"]) == 14
    sample = trained_server.next().json()
    assert sample["draft"]
    assert "more to ask than" in sample["suggestion"]["reason"]


def test_an_interrupted_training_goes_on_where_it_stopped(trained_server):
    log = (
        (_models(trained_server).published().folder / "log.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    starts = [json.loads(line) for line in log if json.loads(line)["event"] == "start"]
    assert [start["iteration"] for start in starts] == [0, 2]


def test_a_training_that_dies_leaves_the_old_network_serving(trained_server, tmp_path, monkeypatch):
    server = trained_server
    version = _models(server).published().version
    before = server.infer_label("spss", "phantom_003", tmp_path)

    def killed(cases, names, *, out, **kwargs):
        out.mkdir(parents=True)
        (out / "model.pt").write_bytes(b"half a netw")
        raise Interrupted

    monkeypatch.setattr("spss_app.train.spss.train", killed)
    with pytest.raises(Interrupted):
        server.app._trainers["spss"](dict(FAST))
    assert _models(server).published().version == version
    assert (server.infer_label("spss", "phantom_003", tmp_path) == before).all()


def test_a_network_that_is_worse_on_held_out_planes_is_kept_aside(trained_server, monkeypatch):
    server, trainer = trained_server, trained_server.app._trainers["spss"]
    old = _models(server).published()

    def same_again(method, options, held_out):
        shutil.copytree(old.folder, _models(server).training)
        return _Result()

    dice = iter([{"x": 0.2, "y": 0.3}, {"x": 0.9, "y": 0.9}])
    monkeypatch.setattr(trainer, "_dice", lambda model, ids: next(dice))
    monkeypatch.setattr(trainer, "_train", same_again)
    assert _train(server).status_code == 200
    assert _models(server).published().version == old.version
    outcome = trainer.stats()["outcome"]
    assert "not used" in outcome
    assert "0.250 against 0.900" in outcome
    assert len(list(_models(server).root.glob("*/record.json"))) == 2


class _Result:
    """What the engine reports of a training without anything to say."""

    best_metric = 0.5
    skipped: dict[str, str] = {}  # noqa: RUF012
    absent_classes = ()


def test_training_without_any_plane_says_what_to_do(server):
    answer = _train(server)
    assert answer.status_code == 409
    assert "draw a plane" in answer.json()["detail"]
    stats = server.http.get("/info/").json()["train_stats"]["spss"]
    assert stats["epoch"] == 0
    assert "draw a plane" in stats["outcome"]


def test_progress_is_told_from_the_first_moment(server, tmp_path, only_plane, monkeypatch):
    _annotate(server, tmp_path, only_plane)
    trainer = server.app._trainers["spss"]
    seen = []

    def stopped(*args, on_progress, **kwargs):
        seen.append(trainer.stats())
        on_progress({"epoch": 3, "total_epochs": 9, "best_metric": 0.5, "loss": 1.0})
        seen.append(trainer.stats())
        raise Interrupted

    monkeypatch.setattr("spss_app.train.spss.train", stopped)
    with pytest.raises(Interrupted):
        trainer(dict(FAST))
    assert (seen[0]["epoch"], seen[0]["total_epochs"]) == (0, 50)
    assert "total_time" not in seen[0]
    assert (seen[1]["epoch"], seen[1]["best_metric"]) == (3, 0.5)
    assert "Interrupted" in trainer.stats()["outcome"]


def test_a_started_training_resets_the_bar_before_its_process_speaks(trained_server, monkeypatch):
    trainer = trained_server.app._trainers["spss"]
    assert "total_time" in trainer.stats()
    monkeypatch.setattr(
        "monailabel.utils.async_tasks.task.run_background_task", lambda request, method: {"id": "1"}
    )
    answer = trained_server.http.post("/train/spss", json=FAST)
    assert answer.status_code == 200, answer.text
    assert trainer.stats()["epoch"] == 0
    assert "total_time" not in trainer.stats()


def test_only_changed_constants_reach_the_method(server):
    trainer = server.app._trainers["spss"]
    shown = trainer.config()
    untouched = {key: value for key, value in shown.items() if not isinstance(value, list)}
    assert trainer._constants("mean_teacher", untouched) == {}
    changed = {**untouched, "consistency_weight": 0.7, "nonsense": 1}
    assert trainer._constants("mean_teacher", changed) == {"consistency_weight": 0.7}


def test_batch_inference_names_broken_images_and_goes_on(server, tmp_path, only_plane):
    (server.studies / "imagesTr" / "broken.nii.gz").write_bytes(b"x")
    _annotate(server, tmp_path, only_plane)
    answer = server.http.post("/batch/infer/spss", params={"run_sync": True}, json={})
    assert answer.status_code == 200
    results = answer.json()
    assert "corrupt" in results["broken"]["message"]
    assert results["phantom_000"]["label_names"]
    assert "original" in server.app.datastore().json()["objects"]["phantom_000"]["labels"]
