"""The dashboard as one HTML page: no scripts, no external files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from spss_apps.dashboard_curve import training_curve
from spss_apps.report import STYLE, inline_png

_STATES = {
    "untouched": ("nothing drawn", "#c8d0d6"),
    "planes": ("some planes drawn", "#56B4E9"),
    "dense": ("whole volume labelled", "#009E73"),
}

_ID_END = 6
"""Digits of a UID that are shown."""

_OWN_STYLE = """
.tiles { display: flex; gap: 1em; flex-wrap: wrap; } .tiles div { background: #f1f3f5;
  border-radius: 6px; padding: 0.6em 1em; min-width: 7em; } .tiles b { display: block;
  font-size: 1.6em; } .bar { display: flex; height: 1em; border-radius: 4px; overflow: hidden;
  margin: 1em 0 0.4em; } td.words, th.words { text-align: left; } .warn { color: #a33; }
"""


def dashboard_page(
    overview: Mapping[str, Any],
    *,
    pictures: Sequence[bytes | None],
    server: str,
    read_at: str,
    every: float | None = None,
) -> str:
    """The page.

    Args:
        overview: the answer of ``/spss/overview``.
        pictures: PNG of each entry of the queue, None where there is none.
        server: the server's address.
        read_at: when it was asked, for people.
        every: seconds after which the browser loads the page again; None: never.
    """
    again = f"<meta http-equiv='refresh' content='{every:g}'>" if every else ""
    body = [
        f"<h1>SPSS at {escape(server)}</h1><p class='lead'>Read {escape(read_at)}.</p>",
        _tiles(overview),
        "<h2>Draw next</h2>",
        _queue(overview, pictures),
        "<h2>Training</h2>",
        _training(overview["training"]),
        _networks(overview["models"]),
        "<h2>Volumes</h2>",
        _volumes(overview["images"]),
        _broken(overview["broken"]),
    ]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"{again}<title>SPSS dashboard</title><style>{STYLE}{_OWN_STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>"
    )


def _tiles(overview: Mapping[str, Any]) -> str:
    images = overview["images"]
    counts = {state: sum(image["state"] == state for image in images) for state in _STATES}
    planes = sum(len(image["planes"]) for image in images)
    in_use = next((model for model in overview["models"] if model["in_use"]), None)
    tiles = [(len(images), "volumes"), (planes, "planes drawn")]
    tiles += [(counts[state], words) for state, (words, _) in _STATES.items()]
    tiles += [(_dice(in_use), "held-out Dice of the network in use")]
    parts = "".join(
        f"<span style='background:{colour};flex:{counts[state]}'></span>"
        for state, (_, colour) in _STATES.items()
    )
    cells = "".join(f"<div><b>{value}</b>{words}</div>" for value, words in tiles)
    return f"<div class='tiles'>{cells}</div><div class='bar'>{parts}</div>"


def _dice(model: Mapping[str, Any] | None) -> str:
    value = model.get("held_out_dice") if model else None
    return "–" if value is None else f"{value:.3f}"


def _queue(overview: Mapping[str, Any], pictures: Sequence[bytes | None]) -> str:
    queue = overview["queue"]
    names = _names(overview["images"])
    if not queue:
        return "<p class='lead'>No volume is left to draw in.</p>"
    figures = []
    for number, (entry, png) in enumerate(zip(queue, pictures, strict=True), start=1):
        name = names.get(entry["image"], entry["image"])
        where = f"{name}, {entry['name']} plane {entry['index']}"
        picture = inline_png(png, where) if png else "<p class='warn'>The image cannot be read.</p>"
        caption = f"<b>{number}. {escape(name)}</b><br>{escape(entry['reason'])}"
        figures.append(f"<figure>{picture}<figcaption>{caption}</figcaption></figure>")
    return f"<div class='planes'>{''.join(figures)}</div>"


def _training(training: Mapping[str, Any]) -> str:
    status, curve = training["status"], training["curve"]
    if not status:
        return "<p class='lead'>No training has been started.</p>"
    done = f"{status.get('epoch', 0)} of {status.get('total_epochs', 0)} rounds"
    end = f", ended after {status['total_time']}" if status.get("total_time") else ", running"
    said = [*status.get("messages", [])[-4:], status.get("outcome", "")]
    lines = "".join(f"<br>{escape(str(line))}" for line in said if line)
    words = f"<p>{escape(str(status.get('method', '')))}: {done}{escape(end)}.</p>"
    picture = inline_png(training_curve(curve), "Training curve") if len(curve) > 1 else ""
    return f"{words}<figure class='natural'>{picture}</figure><p class='said'>{lines}</p>"


def _networks(models: Sequence[Mapping[str, Any]]) -> str:
    if not models:
        return ""
    rows = "".join(
        f"<tr><td>{escape(str(model['version']))}</td><td>{escape(str(model['method']))}</td>"
        f"<td>{model['trained_on']}</td><td>{model['held_out']}</td><td>{_dice(model)}</td>"
        f"<td>{'in use' if model['in_use'] else ''}</td></tr>"
        for model in reversed(models)
    )
    return (
        "<table><tr><th>network</th><th>method</th><th>annotated volumes</th><th>held out</th>"
        f"<th>held-out Dice</th><th></th></tr>{rows}</table>"
    )


def _volumes(images: Sequence[Mapping[str, Any]]) -> str:
    names = _names(images)
    rows = "".join(
        f"<tr><td>{escape(names[image['id']])}</td><td class='words'>{_state(image)}</td>"
        f"<td class='words'>{escape(_planes(image['planes']))}</td></tr>"
        for image in images
    )
    return (
        "<table class='volumes'><tr><th>volume</th><th class='words'>state</th>"
        f"<th class='words'>planes</th></tr>{rows}</table>"
    )


def _names(images: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What each image is called; of two series of one patient with the end of the id."""
    counts = Counter(image["name"] for image in images)
    return {
        image["id"]: image["name"]
        if counts[image["name"]] == 1
        else f"{image['name']} (series \u2026{image['id'][-_ID_END:]})"
        for image in images
    }


def _state(image: Mapping[str, Any]) -> str:
    words, colour = _STATES[image["state"]]
    if image["state"] == "planes":
        count = len(image["planes"])
        words = f"{count} plane{'' if count == 1 else 's'}"
    held_out = ", held out" if image["held_out"] else ""
    dot = f"<i style='background:{colour}'></i>"
    return f"<span class='key'>{dot}{words}{held_out}</span>"


def _planes(planes: Sequence[Mapping[str, Any]]) -> str:
    families: dict[str, list[str]] = {}
    for plane in planes:
        families.setdefault(plane["name"], []).append(str(plane["index"]))
    return "; ".join(f"{name} {', '.join(indices)}" for name, indices in families.items())


def _broken(broken: Mapping[str, str]) -> str:
    if not broken:
        return ""
    rows = "".join(f"<li>{escape(reason)}</li>" for reason in broken.values())
    return f"<h2>Cannot be used</h2><ul class='warn'>{rows}</ul>"
