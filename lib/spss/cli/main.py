"""The ``spss`` command: finds the subcommand, parses its options, turns errors into one line.

A subcommand is one module with ``add_arguments(parser)`` and ``run(args) -> int``: either a file
beside this one, or an entry point of the group ``spss.commands`` (how programs outside the library
join without the library knowing them). Only the module that is asked for is imported, so that
``spss --help`` is quick although training needs torch.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import pkgutil
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import spss
from spss import cli
from spss.errors import InputError, NotReadyError

GROUP = "spss.commands"
USER_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT, as shells count
BROKEN_PIPE = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand and returns the process's exit status.

    An ``InputError`` or ``NotReadyError`` is printed as one line on stderr, exit status 2.
    """
    try:
        return _dispatch(list(sys.argv[1:] if argv is None else argv))
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough; nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _dispatch(arguments: list[str]) -> int:
    """Answers what needs no command, and imports only the module of the one that is asked for."""
    if not sys.warnoptions:
        # Deprecations inside MONAI and torch tell their authors something, not our users.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
    modules = command_modules()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview(modules))
        return 0
    if arguments[0] == "--version":
        print(f"spss {spss.__version__}")
        return 0
    name, *rest = arguments
    if name not in modules:
        print(f"spss: there is no command {name!r}; 'spss --help' lists all.", file=sys.stderr)
        return USER_ERROR
    return _run(name, modules[name], rest)


def command_modules() -> dict[str, str]:
    """Command name to the dotted name of its module, sorted by command name."""
    modules = {
        # import_.py: a file cannot be imported under a keyword's name
        found.name.rstrip("_").replace("_", "-"): f"{cli.__name__}.{found.name}"
        for found in pkgutil.iter_modules(cli.__path__)
        if found.name != "main" and not found.name.startswith("_")
    }
    for entry in entry_points(group=GROUP):
        modules.setdefault(entry.name, entry.module)
    return dict(sorted(modules.items()))


def _run(name: str, module_name: str, arguments: Sequence[str]) -> int:
    """Runs a command; what a user can mend ends in one sentence, not in a traceback."""
    try:
        module = importlib.import_module(module_name)
        return int(module.run(_parse(name, module, arguments)))
    except (InputError, NotReadyError) as error:
        print(f"spss {name}: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print(f"spss {name}: interrupted.", file=sys.stderr)
        return INTERRUPTED


def _parse(name: str, module: ModuleType, arguments: Sequence[str]) -> argparse.Namespace:
    """The module's docstring is the command's description."""
    parser = argparse.ArgumentParser(
        prog=f"spss {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser.parse_args(arguments)


def _overview(modules: dict[str, str]) -> str:
    """What ``spss --help`` prints."""
    width = max((len(name) for name in modules), default=0)
    lines = [f"  {name:<{width}}  {_first_line(module)}" for name, module in modules.items()]
    return "\n".join(
        [
            "usage: spss COMMAND [options]",
            "",
            "Annotate one slice, get the volume, be told which slice to draw next.",
            "",
            "commands:",
            *lines,
            "",
            "'spss COMMAND --help' shows a command's options, 'spss --version' the version.",
        ]
    )


def _first_line(module_name: str) -> str:
    """First line of a module's docstring, read from its source: importing could take seconds."""
    try:
        spec = find_spec(module_name)
    except ImportError:
        spec = None
    if spec is None or not spec.origin:
        return "(not installed completely: see 'spss doctor')"
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
