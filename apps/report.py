"""One HTML file that shows a demo run: no scripts, no external files."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from spss.volumes import replace_atomically
from spss_apps.demo_record import DemoRecord, DrawnPlane, RoundRecord
from spss_apps.pictures import COLOURS

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #22303c; max-width: 1200px; margin: 2em auto;
       padding: 0 1em; }
h1 { font-size: 1.7em; margin-bottom: 0.2em; } h2 { font-size: 1.2em; margin-top: 2em; }
code { background: #f1f3f5; padding: 0.4em 0.6em; border-radius: 4px; display: block;
       white-space: pre-wrap; word-break: break-word; }
table { border-collapse: collapse; font-size: 0.93em; }
th, td { padding: 0.3em 0.45em; text-align: right; }
th:first-child, td:first-child { text-align: left; } tr { border-bottom: 1px solid #dde2e6; }
.lead { color: #52616b; } .columns { display: flex; flex-wrap: wrap; gap: 1.5em; }
.said { color: #52616b; font-size: 0.8em; }
.planes { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 1em; }
figure { margin: 0; } figure img { width: 100%; border-radius: 4px; }
.natural img { width: auto; max-width: 100%; }
figcaption { font-size: 0.8em; color: #52616b; } figcaption b { color: #22303c; }
.key span { margin-right: 1.2em; } .key i { display: inline-block; width: 0.9em; height: 0.9em;
       border-radius: 2px; margin-right: 0.4em; vertical-align: -1px; }
"""


@dataclass(frozen=True)
class Figure:
    """A picture of the report.

    Attributes:
        title: in bold.
        caption: one or two sentences.
        png: the bytes.
    """

    title: str
    caption: str
    png: bytes


def write_report(
    path: Path,
    record: DemoRecord,
    *,
    curve: bytes,
    planes: Sequence[bytes],
    comparisons: Sequence[Figure],
) -> None:
    """Writes the report.

    Args:
        path: HTML file to write.
        record: the numbers.
        curve: PNG of the learning curve.
        planes: PNG of each drawn plane, in order.
        comparisons: propagation, reliability, prediction, uncertainty and truth side by side.
    """
    body = [
        _head(record),
        "<div class='columns'><div><h2>Rounds</h2>",
        _table(record),
        "</div><figure class='natural'><h2>Learning curve</h2>",
        inline_png(curve, "Test Dice against planes drawn"),
        "</figure></div>",
        "<h2>Side by side</h2>",
        _key(record),
        *(_figure(figure) for figure in comparisons),
        "<h2>Suggested planes, in order</h2>",
        "<p class='lead'>The outlines are what the simulated annotator drew, from the truth: only "
        "these planes were ever given to the server.</p>",
        *_gallery(record, planes),
        "<h2>Command and settings</h2>",
        f"<code>{escape(record.command)}</code>",
        _settings(record),
    ]
    title = "SPSS demo"
    html = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>{title}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>"
    )
    with replace_atomically(path) as unfinished:
        unfinished.write_text(html, encoding="utf-8")


def _head(record: DemoRecord) -> str:
    """What was done and what came of it, in one paragraph."""
    last = record.rounds[-1]
    return (
        "<h1>A few planes drawn, every volume segmented</h1>"
        f"<p class='lead'>{escape(record.data)}: a simulated annotator drew "
        f"<b>{last.planes_in_all} planes</b> in {record.volumes} volumes that the server has; the "
        f"model it trained reached a mean Dice of <b>{last.test_dice['mean']:.3f}</b> "
        f"(± {last.interval:.3f}, 95 % interval over volumes) on {record.test_volumes} test "
        f"volumes the server never saw. The run took {record.seconds / 60:.1f} minutes.</p>"
    )


def _table(record: DemoRecord) -> str:
    """A round a row."""
    names = [*record.class_names[1:], "mean"]
    header = "".join(f"<th>Dice {escape(name)}</th>" for name in names)
    rows = "".join(_row(number, item, names) for number, item in enumerate(record.rounds, start=1))
    return (
        f"<table><tr><th>round</th><th>planes drawn</th>{header}"
        f"<th>training s</th><th>round s</th></tr>{rows}</table>{_outcomes(record)}"
    )


def _outcomes(record: DemoRecord) -> str:
    """What the server said of each training."""
    lines = "".join(
        f"<br>{number}. {escape(item.outcome)}"
        for number, item in enumerate(record.rounds, start=1)
        if item.outcome
    )
    return f"<p class='said'>The server on its trainings:{lines}</p>" if lines else ""


def _row(number: int, record: RoundRecord, names: Sequence[str]) -> str:
    """One round."""
    cells = "".join(f"<td>{record.test_dice[name]:.3f}</td>" for name in names)
    return (
        f"<tr><td>{number}</td><td>{record.planes_in_all}</td>{cells}"
        f"<td>{record.train_seconds:.0f}</td><td>{record.seconds:.0f}</td></tr>"
    )


def _gallery(record: DemoRecord, planes: Sequence[bytes]) -> list[str]:
    """The planes that were drawn, round by round."""
    parts, number = [], 0
    for round_number, item in enumerate(record.rounds, start=1):
        parts.append(f"<h3>Round {round_number}</h3><div class='planes'>")
        for plane in item.planes:
            parts.append(_plane(number + 1, plane, planes[number]))
            number += 1
        parts.append("</div>")
    return parts


def _plane(number: int, plane: DrawnPlane, png: bytes) -> str:
    """One plane with the reason it was suggested for."""
    question = plane.question
    name = f"{question.plane_name} plane {question.plane.index} of {question.image_id}"
    caption = (
        f"<b>{number}. {escape(name)}</b><br>{escape(question.reason)}.<br>"
        f"Propagated volume: Dice {plane.draft_dice:.2f}"
    )
    return f"<figure>{inline_png(png, name)}<figcaption>{caption}</figcaption></figure>"


def _figure(figure: Figure) -> str:
    caption = f"<b>{escape(figure.title)}</b> {escape(figure.caption)}"
    image = inline_png(figure.png, figure.title)
    return f"<figure class='natural'>{image}<figcaption>{caption}</figcaption></figure><br>"


def _key(record: DemoRecord) -> str:
    """Which colour is which class."""
    items = "".join(
        f"<span><i style='background:{COLOURS[index % len(COLOURS)]}'></i>{escape(name)}</span>"
        for index, name in enumerate(record.class_names[1:])
    )
    return f"<p class='key'>{items}</p>"


def _settings(record: DemoRecord) -> str:
    """What was asked for and where it ran."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"
        for name, value in record.settings.items()
    )
    return f"<table>{rows}</table>"


def inline_png(png: bytes, text: str) -> str:
    """An image tag that holds the picture itself."""
    data = base64.b64encode(png).decode("ascii")
    return f"<img alt='{escape(text, quote=True)}' src='data:image/png;base64,{data}'>"
