"""A DICOMweb server that hangs, resets, answers 500 or sends rubbish: what is here goes on."""

import socket
import struct
import threading
import time
from contextlib import contextmanager

import pytest

from spss_app.dicomweb.datastore import DicomwebDatastore
from spss_app.dicomweb.pacs import Pacs

WAIT_SECONDS = 0.4
IMAGE = "1.2.826.0.1.3680043.8.498.1"


def _answer(connection, manner, stop):
    if manner == "reset":
        connection.recv(10)
        # a linger of zero seconds makes close() a reset
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        return
    connection.recv(65536)
    head = b"HTTP/1.1 %s\r\nContent-Type: application/dicom+json\r\nContent-Length: %d\r\n\r\n"
    if manner == "error":
        connection.sendall(head % (b"500 Oh", 4) + b"oops")
    elif manner == "rubbish":
        connection.sendall(head % (b"200 OK", 9) + b"{not json")
    elif manner == "half":
        connection.sendall(head % (b"200 OK", 5000) + b"[{")
    stop.wait()
    connection.close()


@contextmanager
def bad_pacs(manner):
    """A server on the loopback interface that accepts connections and misbehaves."""
    stop, threads = threading.Event(), []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)

        def accept():
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                thread = threading.Thread(target=_answer, args=(connection, manner, stop))
                thread.start()
                threads.append(thread)

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/dicom-web"
        finally:
            stop.set()
            acceptor.join()
            for thread in threads:
                thread.join()


@pytest.mark.parametrize("manner", ["hang", "half", "reset", "error", "rubbish"])
def test_requests_end_soon_with_a_sentence_and_fetched_images_stay(manner, tmp_path, phantom_files):
    fetched = tmp_path / "dicom" / f"{IMAGE}.nii.gz"
    fetched.parent.mkdir()
    fetched.write_bytes((phantom_files / "imagesTr" / "phantom_000.nii.gz").read_bytes())
    with bad_pacs(manner) as url:
        pacs = Pacs(url, search_seconds=WAIT_SECONDS, transfer_seconds=WAIT_SECONDS)
        started = time.monotonic()
        store = DicomwebDatastore(pacs, tmp_path)
        for _ in range(3):
            assert store.list_images() == [IMAGE]
        assert time.monotonic() - started < 20 * WAIT_SECONDS
        assert url in store.found.away
        assert store.status()["dicomweb"]["away"] == store.found.away
        assert store.object_of(IMAGE)
        taken = []
        store.on_submit = lambda image_id, file, params: taken.append(image_id)
        label = phantom_files / "labelsTr" / "phantom_000.nii.gz"
        store.save_label(IMAGE, str(label), "final", {})
        assert taken == [IMAGE]
        pacs.client._session.close()
        pacs._carrier._session.close()
