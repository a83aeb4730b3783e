"""Orthanc servers of a test's own, on free ports, with the script of examples/orthanc."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from email import message_from_bytes, policy
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from pydicom import Dataset, dcmread

from support.requirements import require_file, require_tool
from support.runs import PROGRAM, new_series

SCRIPT = Path(__file__).parents[2] / "examples/orthanc/rgan_orthanc.py"
PROGRAM_OF_ORTHANC = Path("/usr/sbin/Orthanc")
PLUGINS = Path("/usr/share/orthanc/plugins")
NEEDED = ("DicomWeb", "Python")
EPOCH = "1700000000"
SENDER = "SENDER"
OPTIONS = ["--engine", "onnxruntime", "--device", "cpu"]


def environment(**more: str) -> dict[str, str]:
    """Return what the environment of programs is; DCMTK is slow without ``TCP_NODELAY``."""
    return {**os.environ, "TCP_NODELAY": "1", "OMP_NUM_THREADS": "1", **more}


def free_port() -> int:
    """Return a port of the loopback that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(holds: Callable[[], object], seconds: float = 60) -> None:
    """Return when something holds, and fail if it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def _kill(pid: int) -> bool:
    """Return whether there was such a process to kill."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


class Orthanc:
    """An Orthanc with a folder of its own, which may be stopped and started again.

    Parameters
    ----------
    settings
        What its configuration has beside what each has.
    variables
        What its environment has beside the usual.
    """

    def __init__(self, folder: Path, aet: str, settings: dict[str, Any], **variables: str):
        for file in (PROGRAM_OF_ORTHANC, *(PLUGINS / f"libOrthanc{name}.so" for name in NEEDED)):
            require_file(file)
        folder.mkdir()
        self.folder, self.aet, self.variables = folder, aet, variables
        self.http_port, self.dicom_port = free_port(), free_port()
        self.settings = {
            "Name": aet,
            "DicomAet": aet,
            "StorageDirectory": str(folder / "store"),
            "IndexDirectory": str(folder / "store"),
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "RemoteAccessAllowed": False,
            "DicomAlwaysAllowStore": False,
            "DicomCheckModalityHost": True,
            "StableAge": 1,
            "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so")],
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()

    @property
    def modality(self) -> list[object]:
        """What ``DicomModalities`` of others has of this one."""
        return [self.aet, "127.0.0.1", self.dicom_port]

    @property
    def log(self) -> str:
        """All that it said so far."""
        return (self.folder / "log").read_text()

    def start(self) -> None:
        """Start it, and return when it answers."""
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self.settings))
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [PROGRAM_OF_ORTHANC, configuration],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(**self.variables),
            )
        wait_for(self.answers)

    def answers(self) -> bool:
        """Return whether it is ready."""
        try:
            return bool(self.get("/system"))
        except (urllib.error.URLError, ConnectionError):
            return False

    def stop(self) -> None:
        """Let it end in its own time."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    def _end(self, how: int) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def children(self) -> list[int]:
        """Return the processes that it started, and that run."""
        assert self.process is not None
        found: list[int] = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
                found += map(int, (task / "children").read_text().split())
        return found

    def kill_child(self) -> None:
        """Wait until it has a process at work, and end that at once."""
        wait_for(lambda: any(map(_kill, self.children())))

    def request(self, uri: str, data: bytes | None = None, method: str = "", **headers: str) -> Any:
        """Return what it answers, with its headers."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}{uri}", data, headers, method=method or None
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers, answer.read()

    def get(self, uri: str) -> Any:
        """Return what it answers as JSON."""
        return json.loads(self.request(uri)[1])

    def series(self) -> dict[str, dict[str, Any]]:
        """Return its series by SeriesInstanceUID."""
        all_series = self.get("/series?expand")
        return {one["MainDicomTags"]["SeriesInstanceUID"]: one for one in all_series}

    def note(self, series_uid: str) -> dict[str, Any]:
        """Return what the script noted of a series; nothing if it has not yet."""
        series = self.series().get(series_uid)
        found = series and self.get(f"/series/{series['ID']}/metadata?expand")
        return json.loads(found["Rgan"]) if found and "Rgan" in found else {}

    def count(self) -> int:
        """Return how many slices it holds."""
        return self.get("/statistics")["CountInstances"]

    def read_back(self, series_uid: str) -> dict[str, Dataset]:
        """Return a series' slices by SOPInstanceUID, through DICOMweb."""
        study = self.get(f"/series/{self.series()[series_uid]['ID']}/study")
        study_uid = study["MainDicomTags"]["StudyInstanceUID"]
        headers, body = self.request(
            f"/dicom-web/studies/{study_uid}/series/{series_uid}",
            Accept='multipart/related; type="application/dicom"; transfer-syntax=*',
        )
        header = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        parts = message_from_bytes(header + body, policy=policy.HTTP).iter_parts()
        slices = [dcmread(BytesIO(part.get_payload(decode=True))) for part in parts]
        return {one.SOPInstanceUID: one for one in slices}


def make_pair(
    folder: Path, rgan: dict[str, Any], *, epoch: str = EPOCH, **more: Any
) -> tuple[Orthanc, Orthanc]:
    """Return an Orthanc that harmonizes, and the one that new series may go to.

    Parameters
    ----------
    rgan
        What the section "Rgan" has beside what each has.
    epoch
        The time that enters all UIDs.
    more
        Further settings of the first.
    """
    research = Orthanc(folder / "research", "RESEARCH", {})
    settings = {
        "Plugins": [str(PLUGINS / f"libOrthanc{name}.so") for name in NEEDED],
        "PythonScript": str(SCRIPT),
        "UserMetadata": {"Rgan": 4096},
        "DicomModalities": {
            "research": research.modality,
            "sender": [SENDER, "127.0.0.1", free_port()],
        },
        "Rgan": {
            "Models": ["b40f-to-b70f"],
            "StateFolder": str(folder / "state"),
            "Command": str(PROGRAM),
            "Options": OPTIONS,
            **rgan,
        },
        **more,
    }
    clinic = Orthanc(folder / "clinic", "CLINIC", settings, SOURCE_DATE_EPOCH=epoch)
    research.settings["DicomModalities"] = {
        "clinic": clinic.modality,
        "sender": [SENDER, "127.0.0.1", free_port()],
    }
    return clinic, research


def harmonize(sources: Path, output: Path, epoch: str = EPOCH) -> dict[str, dict[str, Dataset]]:
    """Return what ``rgan-harmonize run`` makes of series: slices by UID, by UID of the series."""
    subprocess.run(
        [PROGRAM, "run", sources, output, "--model", "b40f-to-b70f", *OPTIONS],
        env=environment(SOURCE_DATE_EPOCH=epoch),
        check=True,
        capture_output=True,
    )
    return {folder.name: read_folder(folder) for folder in new_series(output)}


def read_folder(folder: Path) -> dict[str, Dataset]:
    """Return the slices of a folder by UID."""
    return {one.SOPInstanceUID: one for one in map(dcmread, folder.iterdir())}


def send(orthanc: Orthanc, *files: Path) -> subprocess.Popen[bytes]:
    """Begin to send files, or all in a folder, with one association of DCMTK's ``storescu``."""
    names = ("-aet", SENDER, "-aec", orthanc.aet)
    return subprocess.Popen(
        [
            require_tool("storescu"),
            "+sd",
            "+r",
            *names,
            "127.0.0.1",
            str(orthanc.dicom_port),
            *files,
        ],
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
