"""MONAI Label's upload sessions, with ids of our own making only."""

from __future__ import annotations

import logging
import shutil
import uuid
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.utils.sessions import SessionInfo, Sessions

from spss.errors import InputError
from spss_app.datastore.names import IMAGE_ENDINGS, check_ending
from spss_app.http_errors import answers_http

logger = logging.getLogger(__name__)

_META = "meta.info"


class SafeSessions(Sessions):
    """Images uploaded for a while.

    A session's id is a UUID that this server made, its folder lies directly in the store and its
    image in that folder; anything else is no session. Archives are not unpacked.
    """

    def get_session(
        self, session_id: str, update_ts: bool = True, fetch_cache: bool = True
    ) -> SessionInfo | None:
        """The session, or None if the id is none of ours or its description is broken."""
        if not _is_uuid(session_id):
            return None
        try:
            session = super().get_session(session_id, update_ts, fetch_cache)
        except (OSError, ValueError, TypeError, AttributeError):
            logger.warning("An unreadable upload session is passed over.")
            return None
        folder = Path(self.store_path).resolve() / session_id
        if session is None or folder not in Path(session.image).resolve().parents:
            return None
        return session

    def remove_session(self, session_id: str) -> None:
        """Deletes a session's folder, and only that."""
        if _is_uuid(session_id):
            super().remove_session(session_id)

    def remove_expired(self) -> int:
        """Deletes sessions that ran out; a foreign folder in the store is left alone."""
        store = Path(self.store_path)
        foreign = [p for p in store.iterdir() if not _is_ours(p)] if store.is_dir() else []
        if foreign:
            logger.warning("%d foreign entries in the session store are left alone.", len(foreign))
            return 0
        return int(super().remove_expired())

    @answers_http
    def add_session(
        self, data_file: str, expiry: int = 0, uncompress: bool = False, session_id: Any = None
    ) -> tuple[str, SessionInfo]:
        """Takes one uploaded image file, or several files of one DICOM series."""
        if uncompress:
            raise HTTPException(422, "Archives are not unpacked here: send the image file itself.")
        file = Path(data_file)
        if not file.is_dir():
            check_ending(file, (*IMAGE_ENDINGS, ".dcm"))
        elif any(p.name == _META for p in file.iterdir()):
            shutil.rmtree(file, ignore_errors=True)
            msg = f"A file may not be called {_META}: rename it."
            raise InputError(msg)
        added: tuple[str, SessionInfo] = super().add_session(
            data_file, max(0, expiry), session_id=str(uuid.uuid4())
        )
        return added


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except (ValueError, AttributeError, TypeError):
        return False


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and _is_uuid(folder.name) and (folder / _META).is_file()
