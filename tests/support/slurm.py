"""A Slurm cluster of one node, on loopback, with all its files in one folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from support.requirements import require_tool

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_res
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1
JobRequeue=1
MinJobAge=3600
KillWait=5
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE
"""


class Cluster:
    """A running cluster.

    Parameters
    ----------
    environment
        For Slurm's commands; programs of this Python are found in it.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def call(self, *command: object) -> str:
        """Run a command of Slurm's, or one that calls it."""
        done = subprocess.run(
            [*map(str, command)],
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def states(self) -> dict[str, str]:
        """Return the states of all jobs, of an array by task such as ``4_2``."""
        lines = self.call("squeue", "--all", "--array", "--states=all", "-h", "-o", "%i %T")
        return dict(line.split() for line in lines.splitlines())

    def wait(self, seconds: float = 180) -> dict[str, str]:
        """Wait until all jobs have ended, and return their states."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            states = self.states()
            if not {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING"} & set(states.values()):
                return states
            time.sleep(0.5)
        raise AssertionError(f"jobs have not ended: {self.states()}")


@contextmanager
def start_cluster(folder: Path) -> Iterator[Cluster]:
    """Start the cluster's three daemons, and stop them at the end."""
    for tool in ("slurmctld", "slurmd", "munged", "sbatch"):
        require_tool(tool)
    if os.geteuid() != 0:
        pytest.skip("slurmd must be started by root")
    folder.chmod(0o755)
    configuration = folder / "slurm.conf"
    controller_port, node_port = _free_ports(2)
    host = socket.gethostname().partition(".")[0]
    configuration.write_text(
        CONFIGURATION.format(
            host=host, controller_port=controller_port, node_port=node_port, folder=folder
        )
    )
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "SLURM_CONF": str(configuration), "PATH": path}
    munge = [f"--key-file={key}", f"--socket={folder / 'munge.socket'}"]
    munge += [f"--{name}-file={folder / name}" for name in ("pid", "log", "seed")]
    with ExitStack() as stack:
        cluster = Cluster(environment)
        for command in (
            ["munged", "--foreground", "--force", *munge],
            ["slurmctld", "-D", "-c"],
            ["slurmd", "-D", "-c", "-N", host],
        ):
            stack.callback(_stop, subprocess.Popen(command, env=environment))
        _wait_for_node(cluster)
        yield cluster


def _wait_for_node(cluster: Cluster) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=cluster.environment, capture_output=True, text=True
        )
        if "idle" in done.stdout:
            return
        time.sleep(0.5)
    raise AssertionError(f"the node does not come up: {done.stdout}{done.stderr}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
