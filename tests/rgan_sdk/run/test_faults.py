"""System calls that fail: whatever is seen is complete, and the run can be gone on with.

They fail in a new run, and in one that finds finished series damaged.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from support.damage import DAMAGES, EXTRA
from support.models import make_series_card, write_model
from support.requirements import require_tool
from support.runs import PROGRAM, contents, folders, harmonize, new_series, same_date, write_inputs

CALLS = ("openat", "write", "writev", "fsync", "rename", "mkdir", "close")
POSITIONS = 8
DAMAGED = ("extra", "cut", "removed")  # for one series each


class Scene(NamedTuple):
    """Inputs, and what becomes of them undisturbed."""

    root: Path
    arguments: list[object]
    whole: Path

    @property
    def out(self) -> Path:
        return self.root / "out"

    def prepare(self, *, is_damaged: bool) -> None:
        """Make OUTPUT as the run will find it."""
        shutil.rmtree(self.out, ignore_errors=True)
        if is_damaged:
            shutil.copytree(self.whole, self.out)
            for name, folder in zip(DAMAGED, new_series(self.out), strict=True):
                DAMAGES[name](folder)

    def trace(self, *options: str) -> tuple[subprocess.CompletedProcess, str]:
        """Run under strace, which sees the paths of INPUT and OUTPUT only; return its log too."""
        state, log = self.out / ".rgan", self.root / "log"
        names = [path.relative_to(self.whole) for path in self.whole.glob("[0-9]*/*")]
        names += {name.parent for name in names}
        replaced = [state / "replaced", *(state / "replaced" / f"{name}-1" for name in names)]
        outputs = [folder / name for folder in (self.out, state / "staging") for name in names]
        paths = [self.out, state, state / "staging", state / "journal.jsonl", *replaced, *outputs]
        paths += [path for path in (self.root / "in").rglob("*") if path.is_file()]
        strace = (require_tool("strace"), "--seccomp-bpf", "-f", "-o", log)
        only = [part for path in paths for part in ("-P", path)]
        command = [*strace, "--quiet=path-resolution,attach,exit", *only, *options, PROGRAM]
        result = subprocess.run(
            [*command, *self.arguments, self.out],
            env=same_date(),
            capture_output=True,
            text=True,
            check=False,
        )
        return result, log.read_text()

    def check_fault(self, call: str, position: int, *, is_damaged: bool) -> bool:
        """Let a call fail in a run, and finish it with another; return whether the call failed."""
        self.prepare(is_damaged=is_damaged)
        whole, before = folders(self.whole), folders(self.out)
        result, log = self.trace("-e", f"inject={call}:error=EIO:when={position}")
        seen = folders(self.out)
        assert all(files in (whole[name], before.get(name)) for name, files in seen.items())
        assert result.returncode == 0 or "INJECTED" in log
        assert "Traceback" not in result.stderr
        again = harmonize(*self.arguments, self.out)
        assert again.exit_code == 0, again.output
        assert contents(self.out) == contents(self.whole)
        assert len(list(self.out.rglob(EXTRA))) == is_damaged  # nothing of a user's is lost
        return "INJECTED" in log


def make_scene(root: Path, *options: str, slices: int) -> Scene:
    write_model(root / "m.onnx", make_series_card())
    write_inputs(root / "in", series=len(DAMAGED), slices=slices, size=64)
    arguments = ["run", root / "in", "--model", root / "m.onnx", "--verify-outputs", *options]
    assert harmonize(*arguments, root / "whole").exit_code == 0
    return Scene(root, arguments, root / "whole")


@pytest.mark.parametrize(
    ("calls", "is_damaged"), [(("writev", "close"), False), (("openat", "write", "rename"), True)]
)
def test_the_second_call_of_a_thread_fails(tmp_path, calls, is_damaged):
    scene = make_scene(tmp_path, "--engine", "identity", "--batch-size", "2", slices=2)
    for call in calls:
        assert scene.check_fault(call, 2, is_damaged=is_damaged)


@pytest.mark.slow
@pytest.mark.parametrize("is_damaged", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_a_system_call_that_fails_loses_nothing(tmp_path, call, is_damaged):
    scene = make_scene(tmp_path, slices=4)
    scene.prepare(is_damaged=is_damaged)
    _, log = scene.trace("-e", f"trace={call}")
    total = len(re.findall(rf"\b{call}\(", log))
    failed = 0
    for position in sorted({1 + total * i // POSITIONS for i in range(POSITIONS)}):
        failed += scene.check_fault(call, position, is_damaged=is_damaged)
    assert failed >= 1
