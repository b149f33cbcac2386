"""Labels that could not be understood are kept: an expert's work is never thrown away."""

from __future__ import annotations

import json
import secrets
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from spss.annotation import folder_name
from spss.annotation.durable import write_durably
from spss.volumes import replace_atomically
from spss.volumes.files import image_ending


def keep_aside(folder: Path, image_id: str, file: Path, params: dict[str, Any], why: str) -> str:
    """Copies the file and says why it was refused; returns the copy's name."""
    now = datetime.now(timezone.utc)
    stem = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}-{folder_name(image_id)}"
    name = stem + (image_ending(file) or ".bin")
    with replace_atomically(folder / name) as unfinished:
        shutil.copyfile(file, unfinished)
    record = {"image": image_id, "time": now.isoformat(), "reason": why, "params": params}
    write_durably(folder / f"{stem}.json", json.dumps(record, ensure_ascii=False).encode())
    return name
