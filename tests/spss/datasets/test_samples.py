"""Sample data: the Decathlon where it answers, else copies of a packaged scan, fetched once."""

import io
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from spss.datasets import Dataset, make_phantoms, sample_data, samples
from spss.datasets.phantoms import draw_phantom
from spss.errors import NotReadyError
from spss.volumes import Grid, write_label, write_map


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        msg = "no network"
        raise OSError(msg)

    monkeypatch.setattr(samples.urllib.request, "urlopen", refuse)


def fake_registry(monkeypatch: pytest.MonkeyPatch, scratch: Path) -> list[Path]:
    """Lets ``pip download`` write an archive laid out as the package's; returns where to."""
    folders: list[Path] = []
    image, label = draw_phantom(np.random.default_rng(0), (40, 42, 38), class_count=2)
    grid = Grid(label.shape, np.diag([3.0, 3.0, 3.0, 1.0]), "scan")
    write_map(scratch / "image.nii.gz", image, like=grid)
    write_label(scratch / "label.nii.gz", label, like=grid)

    def download(folder: Path) -> subprocess.CompletedProcess[str]:
        folders.append(folder)
        with tarfile.open(folder / "totalsegmentator-2.18.0.tar.gz", "w:gz") as archive:
            for role, inside in samples._FILES.items():
                content = (scratch / f"{role}.nii.gz").read_bytes()
                member = tarfile.TarInfo(f"totalsegmentator-2.18.0/{inside}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setattr(samples, "_pip_download", download)
    return folders


@pytest.mark.usefixtures("offline")
def test_out_of_reach_gives_warped_copies_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "_COPY_COUNT", 3)
    folders = fake_registry(monkeypatch, tmp_path)
    cache = tmp_path / "cache"
    dataset, words = sample_data(cache)
    assert len(dataset.cases) == 3
    assert dataset.class_names == ("background", "heart")
    assert "3 warped copies of one real thorax CT" in words
    assert sample_data(cache)[0] == dataset
    assert len(folders) == 1
    assert [path.name for path in cache.iterdir()] == ["HeartCT_warped_copies"]


@pytest.mark.usefixtures("offline")
def test_without_any_network_the_message_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution\n")
    monkeypatch.setattr(samples, "_pip_download", lambda _: outcome)
    with pytest.raises(NotReadyError, match=r"No matching distribution.*--data"):
        sample_data(tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_decathlon_is_taken_where_its_site_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def extract(output_dir: Path, **_: object) -> Dataset:
        return make_phantoms(output_dir / samples.TASK, 2, shape=(8, 8, 8))

    monkeypatch.setattr(samples.urllib.request, "urlopen", lambda *_, **__: io.BytesIO())
    monkeypatch.setattr("monai.apps.utils.download_and_extract", extract)
    dataset, words = sample_data(tmp_path)
    assert dataset.root == tmp_path / samples.TASK
    assert "Medical Segmentation Decathlon, 2 MR volumes" in words


def test_a_download_that_breaks_off_falls_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(**_: object) -> None:
        msg = "md5 check failed"
        raise RuntimeError(msg)

    monkeypatch.setattr(samples.urllib.request, "urlopen", lambda *_, **__: io.BytesIO())
    monkeypatch.setattr("monai.apps.utils.download_and_extract", break_off)
    monkeypatch.setattr(samples, "_COPY_COUNT", 1)
    fake_registry(monkeypatch, tmp_path)
    dataset, _ = sample_data(tmp_path / "cache")
    assert dataset.root.name == "HeartCT_warped_copies"
