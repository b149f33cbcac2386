"""Runs one of the project's measurements: ``python apps/benchmark.py NAME [options]``.

NAME is a module of ``apps/benchmarks`` with ``add_arguments(parser)`` and ``run(args) -> int``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from spss.errors import InputError, NotReadyError
from spss_apps import benchmarks

USER_ERROR = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the measurement that is named first; returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    names = benchmark_names()
    if not arguments or arguments[0] not in names:
        asked = arguments[0] if arguments else "nothing"
        wants_help = asked in ("-h", "--help")
        print(
            f"usage: benchmark.py {{{','.join(names)}}} [options]"
            + ("" if wants_help else f"\nThere is no benchmark {asked!r}."),
            file=sys.stdout if wants_help else sys.stderr,
        )
        return 0 if wants_help else USER_ERROR
    module = importlib.import_module(f"{benchmarks.__name__}.{arguments[0]}")
    parser = argparse.ArgumentParser(
        prog=f"benchmark.py {arguments[0]}", description=module.__doc__
    )
    module.add_arguments(parser)
    try:
        return int(module.run(parser.parse_args(arguments[1:])))
    except (InputError, NotReadyError) as error:
        print(f"benchmark.py {arguments[0]}: {error}", file=sys.stderr)
        return USER_ERROR


def benchmark_names() -> list[str]:
    """Modules of ``apps/benchmarks`` that take options; the others are their parts."""
    found = Path(next(iter(benchmarks.__path__))).glob("*.py")
    return sorted(path.stem for path in found if "\ndef add_arguments(" in path.read_text("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
