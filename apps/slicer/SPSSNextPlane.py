"""3D Slicer module "SPSS Next Plane": load the suggested volume, jump to the plane, submit it.

Install: in Slicer, Edit > Application Settings > Modules > Additional module paths, add the folder
of this file and restart; or drag this file onto the window and confirm "Add Python scripted
modules". The module is then found under Modules > Active Learning > SPSS Next Plane.

What stands above the line "Slicer from here on" needs neither Qt nor VTK; it is tested with the
project, against a running server too. What is below that line has NOT been run inside a real
Slicer: the project's tests run its steps with stand-ins for Slicer, Qt and VTK, which show that the
right calls are made in the right order and not that Slicer does what its documentation says of
them: slicer.util.loadVolume and saveNode, vtkMRMLSliceNode.JumpAllSlices and RotateToVolumePlane,
vtkSegmentation.AddEmptySegment, ExportSegmentsToLabelmapNode. How the panel looks, the drag and
drop, and Slicer's own settings were not seen either. What fails is said in the status line.

This file depends on nothing but Python's standard library and Slicer, so that it can be copied.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
import typing
import urllib.error
import urllib.parse
import urllib.request
import uuid

NOT_EXPORTED = ("background", "foreground_scribbles", "background_scribbles")
"""Segments that MONAI Label's own module leaves out of a submit."""

TIMEOUT_SECONDS = 120


class ServerError(Exception):
    """The server's own sentence, fit to be shown."""


class Server:
    """The calls of the MONAI Label server that this module makes.

    Args:
        url: address of the server.
        client_id: who annotates; the server keeps suggestions of different people apart.
        token: bearer token, if the server wants one.
    """

    def __init__(self, url: str, client_id: str = "slicer", token: str = "") -> None:
        self.url = url.rstrip("/")
        self.client_id = client_id
        self.token = token

    def labels(self) -> list[str]:
        """Names of the task's structures; empty before the first submit has named them."""
        names = self._info.get("labels") or []
        return [str(name) for name in names if str(name) not in NOT_EXPORTED]

    def default_strategy(self) -> str:
        """The strategy that the server lists first.

        Raises:
            ServerError: it has none, so no SPSS server is there.
        """
        strategies = self._info.get("strategies")
        if not strategies:
            msg = f"The server {self.url} offers no strategy to suggest planes: is it SPSS?"
            raise ServerError(msg)
        return str(next(iter(strategies)))

    def next_plane(self, strategy: str) -> NextPlane:
        """Asks which volume and which plane to draw next.

        Raises:
            ServerError: no image is left, or the server cannot say.
        """
        body = json.dumps({"client_id": self.client_id}).encode()
        path = f"/activelearning/{urllib.parse.quote(strategy, safe='')}"
        sample = json.loads(self._ask("POST", path, body, "application/json"))
        if not sample.get("id"):
            msg = "The server has no image left to annotate."
            raise ServerError(msg)
        return NextPlane.from_sample(sample)

    def download_image(self, plane: NextPlane, folder: str) -> str:
        """Fetches the volume, unless the server's file can be read from here; returns its path."""
        if plane.path and os.path.exists(plane.path):
            return plane.path
        query = urllib.parse.urlencode({"image": plane.image_id})
        return self._save(f"/datastore/image?{query}", folder, plane.file_name)

    def submit(self, plane: NextPlane, label_file: str, label_info: list[dict]) -> str:
        """Sends a label and says that this plane was annotated; returns what was understood.

        Args:
            plane: what was asked for.
            label_file: label map on the volume's grid (``.nii.gz`` or ``.nrrd``).
            label_info: name and number of each exported segment, in the order of their values.

        Raises:
            ServerError: the server did not take it.
        """
        params = {
            "label_info": label_info,
            "annotated_planes": [{"axis": plane.axis, "index": plane.index}],
            "client_id": self.client_id,
        }
        query = urllib.parse.urlencode({"image": plane.image_id})
        body, kind = multipart({"params": json.dumps(params)}, "label", label_file)
        answer = json.loads(self._ask("PUT", f"/datastore/label?{query}", body, kind))
        return str(answer.get("understood") or "The label was taken.")

    @functools.cached_property
    def _info(self) -> dict[str, typing.Any]:
        """Asked for once; every press of a button makes a new `Server`."""
        return json.loads(self._ask("GET", "/info/"))

    def _save(self, path: str, folder: str, name: str) -> str:
        target = os.path.join(folder, os.path.basename(name) or "image.nii.gz")
        data = self._ask("GET", path)
        with open(target, "wb") as file:
            file.write(data)
        return target

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        headers = {"Content-Type": kind} if kind else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise ServerError(sentence_of(error.read(), error.code)) from error
        except OSError as error:
            msg = f"The server {self.url} does not answer ({error}); your drawing is still here."
            raise ServerError(msg) from error


class NextPlane(typing.NamedTuple):
    """The server's suggestion.

    Attributes:
        image_id: the image as the server knows it.
        path: the image's file on the server's machine.
        file_name: name of the image's file.
        display_name: name for the volume in Slicer.
        axis: voxel axis of the plane.
        index: voxel index along it.
        name: axial, coronal or sagittal.
        point_ras: a point of the plane in RAS millimetres.
        normal_ras: its unit normal.
        reason: why this plane, in words.
    """

    image_id: str
    path: str
    file_name: str
    display_name: str
    axis: int
    index: int
    name: str
    point_ras: tuple[float, ...]
    normal_ras: tuple[float, ...]
    reason: str

    @classmethod
    def from_sample(cls, sample: dict) -> NextPlane:
        """Reads the answer to "next sample".

        Raises:
            ServerError: it holds no suggestion (another application than SPSS is served).
        """
        if "suggestion" not in sample:
            msg = "The server suggests no plane: is it running the SPSS application?"
            raise ServerError(msg)
        image_id, plane = str(sample["id"]), sample["suggestion"]
        return cls(
            image_id,
            str(sample.get("path") or ""),
            os.path.basename(str(sample.get("name") or f"{image_id}.nii.gz")),
            str(sample.get("PatientID") or image_id),
            int(plane["axis"]),
            int(plane["index"]),
            str(plane.get("name", "")),
            tuple(float(value) for value in plane["point_ras_mm"]),
            tuple(float(value) for value in plane["normal_ras"]),
            str(plane.get("reason", "")),
        )

    @property
    def text(self) -> str:
        """``axial plane 57: because …``."""
        return f"{self.name} plane {self.index}: {self.reason}"


def exported_segments(names: list[str]) -> list[dict]:
    """``label_info`` for segments in screen order; their values in the label map are 1, 2, ….

    Unlike MONAI Label's own module the number given is the value that is in the file.
    """
    kept = [name for name in names if name not in NOT_EXPORTED]
    return [{"name": name, "idx": value} for value, name in enumerate(kept, start=1)]


def multipart(fields: dict, file_field: str = "", file: str = "") -> tuple[bytes, str]:
    """Encodes a form; returns body and content type."""
    boundary = uuid.uuid4().hex
    lines = []
    for key, value in fields.items():
        lines += [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        ]
    body = "".join(lines).encode()
    if file:
        name = os.path.basename(file)
        head = f'Content-Disposition: form-data; name="{file_field}"; filename="{name}"\r\n'
        body += f"--{boundary}\r\n{head}Content-Type: application/octet-stream\r\n\r\n".encode()
        with open(file, "rb") as stream:
            body += stream.read() + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def sentence_of(body: bytes, status: int) -> str:
    """The ``detail`` of an error answer, or its beginning."""
    try:
        detail = json.loads(body)["detail"]
        said = detail if isinstance(detail, str) else json.dumps(detail)
        return f"{said} (see the field Token)" if status == 401 else said
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}: {body[:200].decode(errors='replace')}"


# ---- Slicer from here on --------------------------------------------------------------------

try:
    import qt
    import slicer
    import vtk
    from slicer.ScriptedLoadableModule import (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
    )
except ImportError:  # read by the tests, outside Slicer
    slicer = None

if slicer is not None:

    class SPSSNextPlane(ScriptedLoadableModule):
        """What Slicer's module list shows."""

        def __init__(self, parent) -> None:
            super().__init__(parent)
            parent.title = "SPSS Next Plane"
            parent.categories = ["Active Learning"]
            parent.contributors = ["SPSS"]
            parent.helpText = "Asks an SPSS MONAI Label server which plane to draw next."

    class SPSSNextPlaneWidget(ScriptedLoadableModuleWidget):
        """The panel: server address, Next plane, Submit, and what the server said."""

        def setup(self) -> None:
            """Builds the panel."""
            super().setup()
            self.plane = None
            self.volume = None
            self.segmentation = None
            self.folder = tempfile.mkdtemp(prefix="spss-next-plane-")
            settings = qt.QSettings()
            self.address = qt.QLineEdit(
                settings.value("SPSS/server", settings.value("MONAILabel/serverUrl", ""))
                or "http://127.0.0.1:8000"
            )
            self.next_button = qt.QPushButton("Next plane")
            self.jump_button = qt.QPushButton("Jump to the plane again")
            self.submit_button = qt.QPushButton("Submit this plane")
            self.status = qt.QLabel("")
            self.status.setWordWrap(True)
            form = qt.QFormLayout()
            form.addRow("Server:", self.address)
            # kept for this session only: Slicer's settings are a plain file
            self.token = qt.QLineEdit(os.environ.get("SPSS_TOKEN", ""))
            self.token.setEchoMode(qt.QLineEdit.Password)
            self.token.setPlaceholderText("only if the server asks for one")
            form.addRow("Token:", self.token)
            self.layout.addLayout(form)
            for widget in (self.next_button, self.jump_button, self.submit_button, self.status):
                self.layout.addWidget(widget)
            self.layout.addStretch(1)
            self.next_button.connect("clicked()", lambda: self.try_to(self.on_next))
            self.jump_button.connect("clicked()", lambda: self.try_to(self.jump))
            self.submit_button.connect("clicked()", lambda: self.try_to(self.on_submit))

        def server(self) -> Server:
            """The server at the address in the panel."""
            qt.QSettings().setValue("SPSS/server", self.address.text)
            name = qt.QSettings().value("MONAILabel/clientId", "") or "slicer"
            return Server(self.address.text, name, self.token.text.strip())

        def try_to(self, action) -> None:
            """Runs an action; what goes wrong is shown and nothing is cleared."""
            qt.QApplication.setOverrideCursor(qt.Qt.WaitCursor)
            try:
                action()
            except (ServerError, ValueError, KeyError, OSError, RuntimeError) as error:
                self.status.text = str(error)
            finally:
                qt.QApplication.restoreOverrideCursor()

        def on_next(self) -> None:
            """Asks for the plane, loads its volume, prepares segments and jumps there."""
            server = self.server()
            plane = server.next_plane(server.default_strategy())
            if self.plane is None or plane.image_id != self.plane.image_id or not self.is_open():
                file = server.download_image(plane, self.folder)
                self.open_volume(file, plane.display_name, server.labels())
            self.plane = plane
            self.volume.SetName(plane.display_name)
            self.jump()
            self.status.text = plane.text

        def is_open(self) -> bool:
            """Whether volume and segmentation are still in the scene, which a user may clear."""
            nodes = (self.volume, self.segmentation)
            return all(node is not None and slicer.mrmlScene.IsNodePresent(node) for node in nodes)

        def open_volume(self, file: str, name: str, labels: list[str]) -> None:
            """Shows a volume, with an empty segment for each structure to draw."""
            self.volume = slicer.util.loadVolume(file)
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
            node.CreateDefaultDisplayNodes()
            node.SetReferenceImageGeometryParameterFromVolumeNode(self.volume)
            for label in labels:
                node.GetSegmentation().AddEmptySegment("", label)
            self.segmentation = node
            slicer.util.setSliceViewerLayers(background=self.volume, fit=True)

        def jump(self) -> None:
            """Moves all slice views through the plane's centre, along the volume's own planes."""
            if self.plane is None or not self.is_open():
                msg = "Ask for the next plane first."
                raise ServerError(msg)
            for view in slicer.app.layoutManager().sliceViewNames():
                node = slicer.app.layoutManager().sliceWidget(view).mrmlSliceNode()
                node.RotateToVolumePlane(self.volume)  # an oblique volume has planes of its own
            slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *self.plane.point_ras)

        def on_submit(self) -> None:
            """Exports the volume's segments and submits the plane."""
            if self.plane is None or not self.is_open():
                msg = "Ask for the next plane first."
                raise ServerError(msg)
            segmentation = self.segmentation.GetSegmentation()
            count = segmentation.GetNumberOfSegments()
            ids = [segmentation.GetNthSegmentID(number) for number in range(count)]
            names = [segmentation.GetSegment(segment).GetName() for segment in ids]
            exported = vtk.vtkStringArray()
            for segment, name in zip(ids, names):  # noqa: B905 (Slicer 5.0 has Python 3.9)
                if name not in NOT_EXPORTED:
                    exported.InsertNextValue(segment)
            label = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
            try:
                slicer.modules.segmentations.logic().ExportSegmentsToLabelmapNode(
                    self.segmentation, exported, label, self.volume
                )
                file = os.path.join(self.folder, "label.nii.gz")
                slicer.util.saveNode(label, file)
            finally:
                slicer.mrmlScene.RemoveNode(label)
            self.status.text = self.server().submit(self.plane, file, exported_segments(names))
