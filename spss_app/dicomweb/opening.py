"""The datastore of a DICOMweb address, as the server's settings describe it."""

from __future__ import annotations

from pathlib import Path

from monailabel.config import settings

from spss_app.dicomweb.datastore import DicomwebDatastore
from spss_app.dicomweb.ohif_export import REFUSE
from spss_app.dicomweb.pacs import Pacs


def open_datastore(address: str, workspace: Path, *, ohif: str = REFUSE) -> DicomwebDatastore:
    """The datastore of a DICOMweb address, with MONAI Label's settings for names and prefixes."""
    user, password = (
        settings.MONAI_LABEL_DICOMWEB_USERNAME or settings.MONAI_LABEL_DATASTORE_USERNAME,
        settings.MONAI_LABEL_DICOMWEB_PASSWORD or settings.MONAI_LABEL_DATASTORE_PASSWORD,
    )
    prefixes = (
        settings.MONAI_LABEL_QIDO_PREFIX,
        settings.MONAI_LABEL_WADO_PREFIX,
        settings.MONAI_LABEL_STOW_PREFIX,
    )
    auth = (user, password) if user and password else None
    return DicomwebDatastore(Pacs(address, auth=auth, prefixes=prefixes), workspace, ohif=ohif)
