"""Harmonize the CT series that Orthanc receives: a script for Orthanc's Python plugin.

docs/orthanc.md says how to set it up, and what happens when something is stopped.

One thread takes the stable series one after the other. It copies the slices of a series out of
Orthanc, runs ``rgan-harmonize run`` on them as a process of its own, and sends what that wrote.
Only then is the series marked as done in Orthanc, so whatever is stopped before is done again.
"""

from __future__ import annotations

import hashlib
import json
import queue
import re
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orthanc
from rgan_settings import METADATA, SELF, Settings, SettingsError

ENDED: Final = {0: "done", 3: "failed", 4: "skipped"}
"""Exit codes of ``rgan-harmonize run`` after which trying again would change nothing."""

LONGEST_PAUSE: Final = 3600  # seconds
OWN_SERIES: Final = re.compile(r"(^| )RGAN>")


class TryAgainError(Exception):
    """A series could not be harmonized or sent, and may be later."""


class StoppedError(Exception):
    """Orthanc is about to stop."""


@dataclass(frozen=True)
class Destination:
    """Where new series go."""

    name: str
    aet: str

    @classmethod
    def find(cls, settings: Settings) -> Destination:
        """Look a destination up among Orthanc's modalities."""
        if settings.destination == SELF:
            return cls(SELF, settings.own_aet)
        try:
            modality = get(f"/modalities/{settings.destination}/configuration")
        except orthanc.OrthancException as error:
            raise SettingsError(
                f"{settings.destination} is not one of the DicomModalities"
            ) from error
        destination = cls(settings.destination, modality["AET"])
        if destination.aet == settings.own_aet and not settings.is_clinical:
            raise SettingsError(
                f"{destination.name} has the AET of this Orthanc, {destination.aet}, and may be "
                'it; choose another DicomAet, or make it the "ClinicalDestination"'
            )
        return destination

    def send(self, file: Path) -> None:
        """Return when the destination has confirmed that it stored a file."""
        own = self.name == SELF
        uri = "/instances" if own else f"/modalities/{self.name}/store-straight"
        try:
            orthanc.RestApiPost(uri, file.read_bytes())
        except orthanc.OrthancException as error:
            raise TryAgainError(
                f"{self.name} did not store {file.stem} ({error.args[1]})"
            ) from error


@dataclass(frozen=True)
class Source:
    """A series in Orthanc.

    Attributes
    ----------
    key, uid
        Orthanc's identifier, and SeriesInstanceUID.
    instances
        Orthanc's identifiers of its slices, sorted.
    is_candidate
        Whether it is stable, CT, and not obviously made by this project.
    """

    key: str
    uid: str
    instances: tuple[str, ...]
    is_candidate: bool

    @classmethod
    def find(cls, key: str) -> Source:
        """Ask Orthanc for a series."""
        series = get(f"/series/{key}")
        tags = series["MainDicomTags"]
        own = OWN_SERIES.search(tags.get("SeriesDescription", ""))
        return cls(
            key,
            tags["SeriesInstanceUID"],
            tuple(sorted(series["Instances"])),
            series["IsStable"] and tags.get("Modality") == "CT" and not own,
        )

    @property
    def digest(self) -> str:
        """Changes when slices are added or removed."""
        return hashlib.sha256("\n".join(self.instances).encode()).hexdigest()

    def metadata(self) -> dict[str, str]:
        """Return what Orthanc keeps about the series."""
        return get(f"/series/{self.key}/metadata?expand")


def get(uri: str) -> Any:
    """Ask Orthanc for something that it answers as JSON."""
    return json.loads(orthanc.RestApiGet(uri))


class Worker(threading.Thread):
    """Harmonizes series, and remembers in Orthanc and in its folder what became of them.

    The folder has one of ``rgan-harmonize run`` for each series, named as Orthanc names it. Its
    journal stays there, because the time in it is part of all new UIDs.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="rgan")
        self._settings = settings
        self._temporary = settings.state_folder / "rgan-temporary"
        self._waiting: queue.Queue[str] = queue.Queue()
        self._pauses: dict[str, int] = {}
        self._stopping = threading.Event()
        self._child: subprocess.Popen[str] | None = None

    def add(self, key: str) -> None:
        """Let a series have its turn."""
        self._waiting.put(key)

    def stop(self) -> None:
        """End after the slice at hand, and return then."""
        self._stopping.set()
        if (child := self._child) is not None:
            child.terminate()
        self._waiting.put("")
        self.join()

    def run(self) -> None:
        """Take all series that are there, then those that are added."""
        try:
            self._destination = Destination.find(self._settings)
            self._prepare()
        except (SettingsError, OSError) as error:
            orthanc.LogError(f"rgan: nothing is harmonized: {error}")
            return
        orthanc.LogWarning(f"rgan: harmonized series go to {self._destination.name}")
        # A sender that was interrupted has the time to go on, so that its series is not stable.
        if not self._stopping.wait(self._settings.stable_age):
            self._take_stock()
        while not self._stopping.is_set():
            if key := self._waiting.get():
                self._attempt(key)

    def _prepare(self) -> None:
        self._settings.state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(mode=0o700)

    def _take_stock(self) -> None:
        keys = get("/series")
        for journal in self._settings.state_folder.glob("*/.rgan"):
            if journal.parent.name not in keys:  # it was deleted
                clear(journal.parent)
        for key in keys:
            self.add(key)

    def _attempt(self, key: str) -> None:
        source = None
        try:
            source = Source.find(key)
            self._handle(source)
        except StoppedError:
            return
        except Exception as error:  # whatever it is, the other series have their turn
            if source is None and error.args[:1] == (orthanc.ErrorCode.UNKNOWN_RESOURCE,):
                clear(self._settings.state_folder / key)  # it was deleted
            else:
                self._try_again(key, f"series {source.uid if source else key}: {error}")
        else:
            self._pauses.pop(key, None)

    def _try_again(self, key: str, reason: str) -> None:
        pause = self._pauses[key] = min(2 * self._pauses.get(key, 1), LONGEST_PAUSE)
        orthanc.LogError(f"rgan: {reason}; next try in {pause} s")
        timer = threading.Timer(pause, self.add, [key])
        timer.daemon = True
        timer.start()

    def _handle(self, source: Source) -> None:
        if not source.is_candidate:
            return
        metadata = source.metadata()
        noted = json.loads(metadata.get(METADATA, "{}"))
        if noted.get("digest") == source.digest and noted["state"] != "failed":
            return
        if not self._settings.is_clinical and metadata.get("RemoteAET") == self._destination.aet:
            orthanc.LogError(
                f"rgan: series {source.uid} came from {self._destination.name} and is not "
                'harmonized; to send it back there, make it the "ClinicalDestination"'
            )
            return
        folder = self._settings.state_folder / source.key
        outcome = self._read_outcome(folder, source) or self._harmonize(folder, source)
        self._deliver(folder, outcome)
        self._note(source, outcome)
        clear(folder)

    def _read_outcome(self, folder: Path, source: Source) -> dict[str, Any] | None:
        """Return what became of a series that was harmonized and not yet delivered."""
        try:
            outcome = json.loads((folder / "outcome.json").read_text())
        except (FileNotFoundError, ValueError):  # a power cut may leave an empty file
            return None
        return outcome if outcome["digest"] == source.digest else None

    def _harmonize(self, folder: Path, source: Source) -> dict[str, Any]:
        clear(folder)
        with tempfile.TemporaryDirectory(dir=self._temporary) as name:
            for instance in source.instances:
                self._check()
                slice_file = orthanc.RestApiGet(f"/instances/{instance}/file")
                (Path(name) / f"{instance}.dcm").write_bytes(slice_file)
            state = self._run(Path(name), folder)
        report = json.loads((folder / ".rgan" / "report.json").read_text())
        outcome = {
            "state": state,
            "digest": source.digest,
            "reason": "; ".join(reasons(report["series"]) or reasons(report["files"])[:1]),
            "series": [one["output"] for one in report["series"] if one["status"] == "done"],
            "slices": len(source.instances),
        }
        unfinished = folder / "outcome.part"
        unfinished.write_text(json.dumps(outcome))
        unfinished.rename(folder / "outcome.json")
        return outcome

    def _run(self, source: Path, folder: Path) -> str:
        """Return what ``rgan-harmonize run`` made of a folder."""
        models = [word for model in self._settings.models for word in ("--model", model)]
        self._child = subprocess.Popen(
            [self._settings.command, "run", source, folder, *models, *self._settings.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            umask=0o077,
        )
        if self._stopping.is_set():  # since before there was a child to terminate
            self._child.terminate()
        said = self._child.communicate()[1].strip().splitlines()
        code, self._child = self._child.returncode, None
        self._check()
        if code not in ENDED:
            last = said[-1] if said else "it said nothing"
            raise TryAgainError(f"{self._settings.command} ended with {code}: {last}")
        return ENDED[code]

    def _deliver(self, folder: Path, outcome: dict[str, Any]) -> None:
        for name in outcome["series"]:
            for file in sorted((folder / name).iterdir()):
                self._check()
                self._destination.send(file)

    def _note(self, source: Source, outcome: dict[str, Any]) -> None:
        noted = {**outcome, "destination": self._destination.name}
        orthanc.RestApiPut(f"/series/{source.key}/metadata/{METADATA}", json.dumps(noted))
        log = orthanc.LogError if outcome["state"] == "failed" else orthanc.LogWarning
        log(f"rgan: series {source.uid}: {outcome['state']} {outcome['reason']}".rstrip())

    def _check(self) -> None:
        if self._stopping.is_set():
            raise StoppedError


def reasons(entries: list[dict[str, Any]]) -> list[str]:
    """Return why the entries of a report are not simply done."""
    return [one["reason"] for one in entries if one["reason"]]


def clear(folder: Path) -> None:
    """Remove what a run left, but for its journal."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and path.name != ".rgan":
            shutil.rmtree(path)
        elif path.is_file():
            path.unlink()


def start() -> None:
    """Check the settings, and listen to what changes in Orthanc."""
    try:
        worker = Worker(Settings.read(json.loads(orthanc.GetConfiguration())))
    except SettingsError as error:
        orthanc.LogError(f'rgan: nothing is harmonized: "Rgan" in the configuration: {error}')
        return

    def on_change(change: int, level: int, resource: str) -> None:
        if change == orthanc.ChangeType.ORTHANC_STARTED:
            worker.start()
        elif change == orthanc.ChangeType.STABLE_SERIES:
            worker.add(resource)
        elif change == orthanc.ChangeType.ORTHANC_STOPPED:
            worker.stop()

    orthanc.RegisterOnChangeCallback(on_change)


start()
