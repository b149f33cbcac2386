"""A server in process, on small phantoms, without a network."""

import functools
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from spss.datasets.phantoms import make_phantoms
from spss.volumes import read_image, read_label, write_label

with warnings.catch_warnings():  # MONAI Label's own imports are its authors' business
    warnings.simplefilter("ignore")
    from fastapi.testclient import TestClient
    from monailabel.app import app as fastapi_app
    from monailabel.config import settings
    from monailabel.interfaces.utils.app import app_instance, clear_cache

    import spss_app.app

SHAPE = (16, 18, 14)
NAMES = ["front", "back"]


@pytest.fixture(scope="session")
def phantom_files(tmp_path_factory):
    """A Decathlon folder that is only copied from."""
    root = tmp_path_factory.mktemp("phantoms")
    make_phantoms(root, 4, shape=SHAPE)
    return root


@pytest.fixture
def studies(phantom_files, tmp_path):
    """A Decathlon folder of four phantoms of its own."""
    root = tmp_path / "studies"
    for path in phantom_files.rglob("*"):
        if path.is_file():
            target = root / path.relative_to(phantom_files)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return root


class Server:
    """The app behind MONAI Label's endpoints, as a client sees it."""

    def __init__(self, studies, app_dir, conf):
        self.studies, self.app_dir = Path(studies), Path(app_dir)
        self.app_dir.mkdir(parents=True, exist_ok=True)
        source = Path(spss_app.app.__file__).with_name("main.py")
        (self.app_dir / "main.py").write_bytes(source.read_bytes())
        settings.MONAI_LABEL_APP_DIR = str(app_dir)
        settings.MONAI_LABEL_STUDIES = str(studies)
        settings.MONAI_LABEL_APP_CONF = conf
        settings.MONAI_LABEL_SESSION_PATH = str(self.app_dir / "sessions")
        clear_cache()
        self.http = TestClient(fastapi_app, raise_server_exceptions=False)

    @property
    def app(self):
        return app_instance()

    @property
    def ledger(self):
        return self.app.project.ledger

    def image(self, image_id):
        return read_image(self.app.datastore().get_image_uri(image_id))

    def truth(self, image_id):
        return read_label(self.studies / "labelsTr" / f"{image_id}.nii.gz")

    def next(self, strategy="self_paced", **params):
        return self.http.post(f"/activelearning/{strategy}", json=params)

    def submit(self, image_id, file, tag="final", **params):
        with Path(file).open("rb") as stream:
            return self.http.put(
                "/datastore/label",
                params={"image": image_id, "tag": tag},
                data={"params": json.dumps(params)},
                files={"label": (Path(file).name, stream)},
            )

    def submit_array(self, image_id, label, folder, ending=".nii.gz", **params):
        file = Path(folder) / f"label{ending}"
        write_label(file, label, like=self.image(image_id))
        return self.submit(image_id, file, **params)

    def infer(self, model, image_id, /, output=None, **params):
        query = {"image": image_id} | ({"output": output} if output else {})
        return self.http.post(f"/infer/{model}", params=query, data={"params": json.dumps(params)})

    def infer_label(self, model, image_id, folder, ending=".nii.gz", **params):
        answer = self.infer(model, image_id, output="image", result_extension=ending, **params)
        assert answer.status_code == 200, answer.text
        file = Path(folder) / f"result{ending}"
        file.write_bytes(answer.content)
        return read_label(file, like=self.image(image_id))


@pytest.fixture(scope="session")
def serve_in():
    """Starts a server with its app folder in a given folder."""

    def start(folder, studies, **conf):
        return Server(studies, Path(folder) / "app", conf)

    yield start
    clear_cache()


@pytest.fixture
def serve(tmp_path, serve_in):
    """Starts a server on a studies folder."""
    return functools.partial(serve_in, tmp_path)


@pytest.fixture
def server(serve, studies):
    """A server on four phantoms."""
    return serve(studies)


@pytest.fixture(scope="session")
def only_plane():
    """Keeps one plane of a label map."""

    def keep(label, plane):
        kept = np.zeros_like(label)
        kept[plane.slices] = label[plane.slices]
        return kept

    return keep


@pytest.fixture
def label_info():
    """What Slicer sends beside a label map."""
    return [{"name": name, "idx": index} for index, name in enumerate(NAMES, start=1)]


@pytest.fixture(scope="session")
def refused():
    """Takes an answer apart that must be one sentence with given words, and no traceback."""

    def check(answer, *words, status=range(400, 500)):
        assert answer.status_code in status, answer.text
        detail = answer.json()["detail"]
        assert isinstance(detail, str)
        assert "Traceback" not in detail
        assert all(word in detail for word in words), detail
        return detail

    return check
