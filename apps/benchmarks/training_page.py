"""A benchmark's own section of the page, between two markers."""

from __future__ import annotations

import re
from pathlib import Path

from spss.volumes import replace_atomically


def write_section(page: Path, text: str, name: str = "training") -> None:
    """Puts ``text`` between the markers of ``name`` in ``page``, which is made if there is none."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    section = f"{start}\n{text.strip()}\n{end}"
    old = page.read_text(encoding="utf-8") if page.is_file() else "# Benchmarks\n"
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    new = pattern.sub(lambda _: section, old) if pattern.search(old) else f"{old}\n{section}\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(page) as unfinished:
        unfinished.write_text(new, encoding="utf-8")


def usual_place(data: str) -> str:
    """The folder as the README names it, whatever the machine it was measured on."""
    return f"../shared/data/{Path(data).name}"
