"""What the documentation shows in code blocks, and running it word for word."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from support.small import FEATURES

ROOT = Path(__file__).parents[2]
SMALLER = """#!{python}
import sys
from pathlib import Path

sys.path.insert(0, "{tests}")

from rgan_train.cli import main
from support.small import smaller

main([*sys.argv[1:], *smaller(sys.argv[1:], Path("{few}"))], prog_name="rgan-train")
"""
"""A stand-in for the command ``rgan-train`` that adds what takes time off."""


class Snippet(NamedTuple):
    """A code block: its page and line, the language it is marked with, and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def programs(self) -> set[str]:
        """The programs that its lines begin with."""
        return {words[0] for words in self.commands()}

    def commands(self) -> list[list[str]]:
        """Return the words of each command of a plain list of commands."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def pages() -> list[str]:
    """Return the pages that users read."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in files)


def snippets(page: str) -> list[Snippet]:
    """Return all code blocks of a page."""
    text = (ROOT / page).read_text()
    found = re.finditer(r"^```(.*)\n((?:.*\n)*?)^```$", text, re.MULTILINE)
    return [Snippet(page, text.count("\n", 0, one.start()) + 1, *one.groups()) for one in found]


def write_smaller(tools: Path) -> None:
    """Write a command ``rgan-train`` into a folder that adds what takes time off."""
    few, train = tools / "few.yaml", tools / "rgan-train"
    few.write_text(FEATURES)
    train.write_text(SMALLER.format(python=sys.executable, tests=ROOT / "tests", few=few))
    train.chmod(0o755)


def run(snippet: Snippet, folder: Path, tools: Path, prelude: str = "") -> str:
    """Run a block in a folder, and return what it prints.

    Parameters
    ----------
    tools
        A folder outside of it, for ``rgan-train`` and the program.
    prelude
        What a block in Python takes as given.
    """
    write_smaller(tools)
    program = tools / "program.py"
    program.write_text(prelude + snippet.text)
    shell = ["bash", "-euo", "pipefail", "-c", snippet.text]
    path = (str(tools), str(Path(sys.executable).parent), os.environ["PATH"])
    done = subprocess.run(
        shell if snippet.language == "bash" else [sys.executable, program],
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"{snippet.page}, line {snippet.line}:\n{snippet.text}\n{done.stdout}{done.stderr}"
    assert done.returncode == 0, said
    return done.stdout
