"""The README: its code and its commands run, and it leaves nothing to fill in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_readme_s_code_and_commands_run(tmp_path):
    (recording,) = [block for block in blocks("python") if "start_run" in block]
    (asking,) = [block for block in blocks("python") if "dnnprov.open()" in block]
    environment = {
        **os.environ,
        "DNNPROV_STORE": str(tmp_path / "store"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    for code in (recording, f"import dnnprov\n{asking}\nassert len(best) == 1 and len(losses) == 10"):
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code], env=environment, cwd=tmp_path, check=True, timeout=60
        )
    (commands,) = [block for block in blocks("sh") if "dnnprov runs" in block]
    for command in commands.splitlines():
        done = subprocess.run(
            command, shell=True, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout or "wrote" in done.stderr, command
    assert (tmp_path / "alexnet.svg").exists()


def test_the_readme_s_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {line.split()[1] for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")}
    assert targets == {"demo", "test"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_no_page_leaves_a_gap_to_fill_in():
    for page in PAGES:
        assert not re.search(r"@[A-Z]+@|TODO|TBD|lorem", page.read_text(encoding="utf-8")), page
