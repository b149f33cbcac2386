"""The panel of "SPSS Next Plane" with stand-ins for Slicer, Qt and VTK: what it calls, in order.

Nothing here shows what a real Slicer does with them.
"""

from __future__ import annotations

import json
import sys
from email.parser import BytesParser
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest

VIEWS = ("Red", "Green", "Yellow")


def sample(image: str, index: int) -> bytes:
    suggestion = {
        **{"axis": 2, "index": index, "name": "axial", "reason": "nothing is drawn near it"},
        **{"point_ras_mm": [1.5, -2.0, 30.25], "normal_ras": [0.0, 0.0, 1.0]},
    }
    shown = f"{image} \u2192 axial {index}"
    return json.dumps({"id": image, "PatientID": shown, "suggestion": suggestion}).encode()


class Segmentation:
    """``vtkSegmentation``: segments in the order they were added."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def AddEmptySegment(self, identity: str, name: str) -> str:  # noqa: N802
        self.names.append(name)
        return f"Segment_{len(self.names)}"

    def GetNumberOfSegments(self) -> int:  # noqa: N802
        return len(self.names)

    def GetNthSegmentID(self, number: int) -> str:  # noqa: N802
        return f"Segment_{number + 1}"

    def GetSegment(self, identity: str) -> Any:  # noqa: N802
        segment = MagicMock()
        segment.GetName.return_value = self.names[int(identity.split("_")[1]) - 1]
        return segment


class Slicer:
    """The parts of Slicer that the panel touches.

    Attributes:
        calls: what happened, in order.
        scene: the nodes in it.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.scene: list[Any] = []
        self.module = MagicMock()
        self.module.mrmlScene.AddNewNodeByClass.side_effect = self.add
        self.module.mrmlScene.RemoveNode.side_effect = self.scene.remove
        self.module.mrmlScene.IsNodePresent.side_effect = lambda node: node in self.scene
        self.module.util.loadVolume.side_effect = self.load
        self.module.util.saveNode.side_effect = lambda node, file: Path(file).write_bytes(b"label")
        self.module.vtkMRMLSliceNode.JumpAllSlices.side_effect = self.jump
        layout = self.module.app.layoutManager.return_value
        layout.sliceViewNames.return_value = VIEWS
        layout.sliceWidget.side_effect = self.view
        logic = self.module.modules.segmentations.logic.return_value
        logic.ExportSegmentsToLabelmapNode.side_effect = self.export

    def add(self, kind: str, name: str = "") -> Any:
        node = MagicMock()
        node.GetSegmentation.return_value = Segmentation()
        self.scene.append(node)
        return node

    def load(self, file: str) -> Any:
        self.calls.append(("load", Path(file).read_bytes()))
        return self.add("volume")

    def view(self, name: str) -> Any:
        widget = MagicMock()
        node = widget.mrmlSliceNode.return_value
        node.RotateToVolumePlane.side_effect = lambda volume: self.calls.append(("turn", name))
        return widget

    def jump(self, scene: Any, *point: float) -> None:
        self.calls.append(("jump", *point))

    def export(self, node: Any, ids: Any, label: Any, volume: Any) -> None:
        listed = [call.args[0] for call in ids.InsertNextValue.call_args_list]
        self.calls.append(("export", node, listed, volume))


class Widget:
    """``ScriptedLoadableModuleWidget``."""

    def setup(self) -> None:
        self.layout = MagicMock()


@pytest.fixture
def slicer_program(monkeypatch: pytest.MonkeyPatch) -> Slicer:
    program = Slicer()
    base = MagicMock(ScriptedLoadableModule=object, ScriptedLoadableModuleWidget=Widget)
    qt, vtk = MagicMock(), MagicMock()
    qt.QLineEdit.side_effect = qt.QPushButton.side_effect = lambda *text: MagicMock()
    qt.QSettings.return_value.value.side_effect = lambda key, unset=None: unset
    vtk.vtkStringArray.side_effect = MagicMock
    for name, stand_in in {"slicer": program.module, "qt": qt, "vtk": vtk}.items():
        monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.setitem(sys.modules, "slicer.ScriptedLoadableModule", base)
    return program


@pytest.fixture
def panel(slicer_program: Slicer, module: ModuleType, recorder: Any, tmp_path: Path) -> Any:
    recorder.answers = {
        "/activelearning/": sample("case7", 57),
        "/info/": json.dumps(
            {"labels": ["anterior", "posterior"], "strategies": {"first": {}, "entropy": {}}}
        ).encode(),
        "/datastore/image": b"voxels",
        "/datastore/label": json.dumps({"understood": "1 axial plane, 57"}).encode(),
    }
    built = module.SPSSNextPlaneWidget()
    built.setup()
    built.folder = str(tmp_path)
    built.address.text, built.token.text = recorder.url, "secret"
    return built


def press(button: Any) -> None:
    """What Qt does when a button is clicked."""
    signal, action = button.connect.call_args.args
    assert signal == "clicked()"
    action()


def test_next_plane_loads_the_volume_turns_and_moves_every_view_and_says_why(
    panel: Any, slicer_program: Slicer, recorder: Any
) -> None:
    press(panel.next_button)
    assert "/activelearning/first" in [path for _, path, _, _ in recorder.requests]
    turns = [("turn", name) for name in VIEWS]
    assert slicer_program.calls == [("load", b"voxels"), *turns, ("jump", 1.5, -2.0, 30.25)]
    assert panel.status.text == "axial plane 57: nothing is drawn near it"
    assert panel.volume.SetName.call_args.args == ("case7 \u2192 axial 57",)
    assert panel.segmentation.GetSegmentation().names == ["anterior", "posterior"]
    panel.segmentation.SetReferenceImageGeometryParameterFromVolumeNode.assert_called_once_with(
        panel.volume
    )


def test_another_plane_of_the_same_volume_keeps_what_is_drawn(
    panel: Any, slicer_program: Slicer, recorder: Any
) -> None:
    press(panel.next_button)
    drawn = panel.segmentation
    recorder.answers["/activelearning/"] = sample("case7", 12)
    press(panel.next_button)
    assert panel.segmentation is drawn
    assert [call[0] for call in slicer_program.calls].count("load") == 1
    assert panel.status.text.startswith("axial plane 12")
    recorder.answers["/activelearning/"] = sample("case8", 3)
    press(panel.next_button)
    assert panel.segmentation is not drawn
    assert drawn in slicer_program.scene


def test_a_scene_that_the_user_cleared_is_filled_again(panel: Any, slicer_program: Slicer) -> None:
    press(panel.next_button)
    slicer_program.scene.clear()
    press(panel.submit_button)
    assert panel.status.text == "Ask for the next plane first."
    press(panel.next_button)
    assert [call[0] for call in slicer_program.calls].count("load") == 2
    assert panel.volume in slicer_program.scene


def test_submit_sends_the_volumes_own_segments_with_the_plane_and_the_token(
    panel: Any, slicer_program: Slicer, recorder: Any
) -> None:
    press(panel.next_button)
    mine = panel.segmentation
    mine.GetSegmentation().names.insert(0, "background")
    slicer_program.add("vtkMRMLSegmentationNode")  # of another volume
    nodes = len(slicer_program.scene)
    press(panel.submit_button)
    assert slicer_program.calls[-1] == ("export", mine, ["Segment_2", "Segment_3"], panel.volume)
    assert len(slicer_program.scene) == nodes  # the exported label map is gone
    _, path, headers, body = recorder.requests[-1]
    assert path == "/datastore/label?image=case7"
    assert headers["Authorization"] == "Bearer secret"
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    said = json.loads(BytesParser().parsebytes(head + body).get_payload()[0].get_payload())
    assert said["annotated_planes"] == [{"axis": 2, "index": 57}]
    assert [item["name"] for item in said["label_info"]] == ["anterior", "posterior"]
    assert panel.status.text == "1 axial plane, 57"


def test_a_server_that_goes_away_is_said_and_the_drawing_stays(
    panel: Any, slicer_program: Slicer, recorder: Any
) -> None:
    press(panel.next_button)
    drawn = panel.segmentation
    recorder.stop()
    press(panel.submit_button)
    assert "does not answer" in panel.status.text
    assert "your drawing is still here" in panel.status.text
    assert panel.segmentation is drawn
    assert drawn in slicer_program.scene
    press(panel.next_button)
    assert "does not answer" in panel.status.text
    assert panel.segmentation is drawn


@pytest.mark.parametrize("button", ["jump_button", "submit_button"])
def test_before_the_first_plane_it_says_what_to_press(panel: Any, button: str) -> None:
    press(getattr(panel, button))
    assert panel.status.text == "Ask for the next plane first."
