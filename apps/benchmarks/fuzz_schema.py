"""The server's OpenAPI description, with values that lead further than random ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests

from spss_apps.benchmarks.fuzz_server import FuzzedServer

KNOWN: dict[str, tuple[str, ...]] = {
    "image": ("phantom_000", "phantom_001", "phantom_002", "../phantom_000", "/etc/hostname"),
    "label": ("phantom_000", "../../phantom_000"),
    "id": ("phantom_001", "../phantom_001"),
    "tag": ("final", "original", "other", "../final", ""),
    "strategy": ("self_paced", "strided", "random", "first"),
    "method": ("self_paced",),
    "check_sum": ("SHA256:0", "CRC:0", "MD5:0"),
}
"""Half of the values of a parameter of this name are one of these."""

MODELS = ("spss", "propagate")
_NO_TRAINING = ("/train", "/batch")
"""There a known model would start a process that outlives its request; names stay unknown."""

PARAMS = (
    "{}",
    '{"save_label": true, "label_tag": "other"}',
    '{"save_label": true, "label_tag": "../../other"}',
    '{"result_extension": ".nrrd", "device": "cuda"}',
    '{"image": "/etc/hostname"}',
    '{"annotated_planes": [{"axis": 2, "index": 4}]}',
    '{"annotated_planes": "dense"}',
    '{"bundle_path": "/tmp", "model_filename": "../x", "name": "../x"}',
    '{"label_info": [{"name": "front", "idx": 1}]}',
    "[]",
    "{",
)
"""Values of the form fields that hold JSON."""


def write_schema(server: FuzzedServer, path: Path) -> Path:
    """Fetches the description and puts the known values beside the random ones."""
    answer = requests.get(f"{server.url}/openapi.json", headers=server.headers, timeout=60)
    answer.raise_for_status()
    schema: dict[str, Any] = answer.json()
    for route, operations in schema["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                _offer(parameter, _values(parameter["name"], route))
    for body in schema.get("components", {}).get("schemas", {}).values():
        for name in ("params", "info"):
            if body.get("properties", {}).get(name, {}).get("type") == "string":
                _offer({"schema": body["properties"][name], "holder": body, "key": name}, PARAMS)
    path.write_text(json.dumps(schema), encoding="utf-8")
    return path


def _values(name: str, route: str) -> tuple[str, ...]:
    if name == "model":
        return () if route.startswith(_NO_TRAINING) else MODELS
    return KNOWN.get(name, ())


def _offer(parameter: dict[str, Any], values: tuple[str, ...]) -> None:
    """``X`` becomes "one of the values, or X"."""
    if not values:
        return
    both = {"anyOf": [{"type": "string", "enum": list(values)}, parameter["schema"]]}
    if "holder" in parameter:
        parameter["holder"]["properties"][parameter["key"]] = both
    else:
        parameter["schema"] = both
