"""docs/reliability.md: every test that it names exists."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def rows():
    text = PAGE.read_text(encoding="utf-8")
    found = [line.split("|") for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    return [[cell.strip() for cell in cells[1:-1]] for cells in found]


def named_tests(cell):
    """``file.py::test_a`, `::test_b`` → (file, test or "")."""
    file = ""
    for name in re.findall(r"`([^`]+)`", cell):
        path, _, function = name.partition("::")
        file = path or file
        yield file, function


def test_all_22_weaknesses_are_answered():
    table = rows()
    assert [int(row[0]) for row in table] == list(range(1, 23))
    assert all(len(row) == 5 and all(row) for row in table)


def test_each_named_test_exists():
    names = [pair for row in rows() for pair in named_tests(row[4])]
    assert len(names) > 22
    for file, function in names:
        tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not function or function in functions, f"{file}::{function}"
