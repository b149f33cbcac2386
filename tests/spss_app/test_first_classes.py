"""A server that nobody told its structures takes them from the first label."""

import numpy as np

from spss.volumes import Grid, write_map


def test_the_first_submit_names_the_classes(serve, refused, tmp_path):
    folder, grid = tmp_path / "studies", Grid((9, 10, 8), np.eye(4), "image")
    for name in "ab":
        image = np.random.default_rng(0).normal(size=grid.shape).astype(np.float32)
        write_map(folder / f"{name}.nii.gz", image, like=grid)
    server = serve(folder)
    assert server.http.get("/info/").json()["labels"] == []
    assert server.next().status_code == 200
    label = np.zeros(grid.shape, np.uint8)
    label[2:5, 2:5, 4] = 2
    info = [{"name": "Leber", "idx": 1}, {"name": "Milz", "idx": 2}]
    said = server.submit_array("a", label, tmp_path, label_info=info).json()
    assert said["understood"].startswith("1 axial plane, 4: Milz")
    assert server.http.get("/info/").json()["labels"] == ["Leber", "Milz"]
    assert serve(folder).http.get("/info/").json()["labels"] == ["Leber", "Milz"]
    wrong = [{"name": "Niere", "idx": 2}]
    refused(server.submit_array("b", label, tmp_path, label_info=wrong), "Niere", "Leber, Milz")
