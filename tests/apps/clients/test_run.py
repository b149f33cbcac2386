"""``make clients`` where nothing can be installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "apps" / "clients" / "run.sh"
PYTHON = """#!/bin/sh
echo "python $*"
case "$*" in
    *"import playwright"*|*install*) exit 1 ;;
esac
"""


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_what_cannot_be_installed_is_named_and_the_other_checks_run(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname"):
        (tools / name).symlink_to(shutil.which(name))
    for name, text in (("id", "#!/bin/sh\necho 1000\n"), ("python", PYTHON)):
        (tools / name).write_text(text, encoding="utf-8")
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [shutil.which("sh"), str(SCRIPT), str(tools / "python")],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Debian packages cannot be installed here" in done.stdout
    assert "chromium" in done.stdout.split("need the Debian packages:")[1].splitlines()[0]
    assert "the Python package playwright cannot be installed" in done.stdout
    assert "python -m pytest tests/clients" in done.stdout
