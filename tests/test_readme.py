"""The README's commands do what they say, in the order in which they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
MAY_FIND_FAULTS = "onomast check"  # its exit status says whether it found something


def test_commands_and_code_run(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    commands = [line.strip() for line in text.splitlines() if re.match(r" {4}(onomast|echo) ", line)]
    commands = [command for command in commands if "data:" not in command and "FILE" not in command]
    assert len(commands) >= 7
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    for command in commands:
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        allowed = (0, 1) if command.startswith(MAY_FIND_FAULTS) else (0,)
        assert done.returncode in allowed, f"{command}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    assert (tmp_path / "report.html").is_file()
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "f1" in done.stdout


def test_make_targets_of_the_readme_exist() -> None:
    made = set(re.findall(r"^([a-z-]+):", (README.parent / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"^ {4}make ([a-z-]+)", README.read_text(encoding="utf-8"), re.MULTILINE)) <= made
