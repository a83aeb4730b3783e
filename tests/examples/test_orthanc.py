"""The script for Orthanc, in Orthanc servers that listen on the loopback."""

import importlib.util
import json
import os
import shutil
import sys
from types import ModuleType

import pytest
import yaml
from pydicom import dcmread
from support.orthanc import (
    SCRIPT,
    harmonize,
    make_pair,
    read_folder,
    send,
    wait_for,
)

from rgan_sdk.dicom.synthetic.sample import write_sample_series

SLICES = 6
TO_RESEARCH = {"ResearchDestination": "research"}


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """One study with a series to harmonize and one with the target kernel, and a second study."""
    folder = tmp_path_factory.mktemp("scans")
    for name, kernel, seed in (("soft", "B40f", 0), ("sharp", "B70f", 0), ("other", "B40f", 1)):
        write_sample_series(folder / name, kernel, slices=SLICES, size=64, seed=seed)
    return folder


@pytest.fixture(scope="module")
def expected(scans, tmp_path_factory):
    """What ``rgan-harmonize run`` makes of them at the same time."""
    return harmonize(scans, tmp_path_factory.mktemp("expected") / "out")


def uid_of(folder):
    return str(dcmread(next(folder.iterdir())).SeriesInstanceUID)


def have_ended(clinic, *folders):
    return lambda: all(clinic.note(uid_of(folder)) for folder in folders)


def restart_later(clinic):
    """End it at once, and start it at a time that would give other UIDs."""
    clinic.kill()
    clinic.variables["SOURCE_DATE_EPOCH"] = "1800000000"
    clinic.start()


def check_delivered(research, expected):
    """Compare what is there, element by element, with what ``run`` writes."""
    assert set(research.series()) == set(expected)
    assert {uid: research.read_back(uid) for uid in expected} == expected


def test_what_comes_in_goes_to_research_as_run_writes_it(scans, expected, tmp_path):
    clinic, research = make_pair(tmp_path, TO_RESEARCH)
    with research, clinic:
        assert send(clinic, scans).wait() == 0
        wait_for(have_ended(clinic, *scans.iterdir()))
        check_delivered(research, expected)
        assert clinic.count() == 3 * SLICES
        for folder in scans.iterdir():
            assert clinic.read_back(uid_of(folder)) == read_folder(folder)
        sharp = clinic.note(uid_of(scans / "sharp"))
        assert sharp["state"] == "skipped"
        assert "the target kernel already" in sharp["reason"]
    assert not list((tmp_path / "state").rglob("*.dcm"))
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_later_run_makes_series_of_its_own(scans, tmp_path):
    clinic, research = make_pair(tmp_path, TO_RESEARCH)
    soft = scans / "soft"
    with research:
        for number, epoch in enumerate(("1700000000", "1800000000"), 1):
            clinic.variables["SOURCE_DATE_EPOCH"] = epoch
            with clinic:
                send(clinic, soft).wait()
                wait_for(lambda number=number: research.count() == number * SLICES)
                wait_for(have_ended(clinic, soft))
            shutil.rmtree(tmp_path / "state")
            shutil.rmtree(clinic.folder / "store")
        slices = [set(research.read_back(uid)) for uid in research.series()]
        assert [len(uids) for uids in slices] == [SLICES, SLICES]
        assert not slices[0] & slices[1]
        assert len(research.get("/studies")) == 1


def test_storing_back_needs_its_own_setting_and_makes_no_circle(scans, expected, tmp_path):
    clinic, _ = make_pair(tmp_path, {"ClinicalDestination": "self"})
    soft = scans / "soft"
    with clinic:
        send(clinic, soft).wait()
        wait_for(have_ended(clinic, soft))
        (new,) = clinic.note(uid_of(soft))["series"]
        wait_for(lambda: clinic.series()[new]["IsStable"])
        send(clinic, scans / "other").wait()  # its turn is after that of the new series
        wait_for(have_ended(clinic, scans / "other"))
        assert clinic.read_back(new) == expected[new]
        assert clinic.count() == 4 * SLICES
        both = {clinic.series()[uid]["ParentStudy"] for uid in (new, uid_of(soft))}
        assert len(both) == 1
        assert clinic.note(new) == {}


def test_what_was_killed_or_stopped_is_done_and_nothing_twice(scans, expected, tmp_path):
    clinic, research = make_pair(tmp_path, TO_RESEARCH)
    with research, clinic:
        send(clinic, scans).wait()
        clinic.kill_child()
        wait_for(lambda: "ended with -9" in clinic.log)
        wait_for(clinic.children)
        clinic.stop()
        clinic.start()
        clinic.kill_child()
        clinic.kill()
        clinic.start()
        wait_for(have_ended(clinic, *scans.iterdir()))
        check_delivered(research, expected)


def test_a_destination_that_is_away_gets_all_when_it_is_back(scans, expected, tmp_path):
    clinic, research = make_pair(tmp_path, TO_RESEARCH)
    soft = scans / "soft"
    with clinic:
        send(clinic, soft).wait()
        wait_for(lambda: f"series {uid_of(soft)}: research did not store" in clinic.log)
        assert clinic.note(uid_of(soft)) == {}
        clinic.settings["Rgan"]["Command"] = "/bin/false"  # it is not harmonized again
        restart_later(clinic)
        with research:
            wait_for(have_ended(clinic, soft))
            (new,) = research.series()
            assert research.read_back(new) == expected[new]


def test_nothing_waits_for_a_series_that_is_deleted(scans, tmp_path):
    clinic, _ = make_pair(tmp_path, TO_RESEARCH)
    folders = [scans / "soft", scans / "other"]

    def waiting():
        names = [name for *_, files in os.walk(tmp_path / "state") for name in files]
        return sum(name.endswith(".dcm") for name in names)

    with clinic:
        send(clinic, *folders).wait()
        for folder in folders:
            text = f"series {uid_of(folder)}: research did not store"
            wait_for(lambda text=text: text in clinic.log)
        assert waiting() == 2 * SLICES
        clinic.request(f"/series/{clinic.series()[uid_of(folders[0])]['ID']}", method="DELETE")
        wait_for(lambda: waiting() == SLICES)
        clinic.kill()
        shutil.rmtree(clinic.folder / "store")
        clinic.start()
        wait_for(lambda: waiting() == 0)


def test_slices_that_come_late_or_again_join_their_new_series(scans, expected, tmp_path):
    clinic, research = make_pair(tmp_path, TO_RESEARCH)
    soft = scans / "soft"
    *first, last = sorted(soft.iterdir())
    with research, clinic:
        send(clinic, *first).wait()
        wait_for(have_ended(clinic, soft))
        assert research.count() == SLICES - 1
        restart_later(clinic)
        send(clinic, last).wait()
        wait_for(lambda: clinic.note(uid_of(soft))["slices"] == SLICES)
        (new,) = research.series()
        assert research.read_back(new) == expected[new]
        clinic.request(f"/series/{clinic.series()[uid_of(soft)]['ID']}", method="DELETE")
        send(clinic, soft).wait()
        wait_for(have_ended(clinic, soft))
        assert set(research.series()) == {new}


def test_a_series_does_not_go_back_to_where_it_came_from(scans, tmp_path):
    clinic, _ = make_pair(tmp_path, {"ResearchDestination": "sender"})
    with clinic:
        assert send(clinic, scans / "soft").wait() == 0
        wait_for(lambda: "came from sender" in clinic.log)
        assert not clinic.children()
        assert clinic.note(uid_of(scans / "soft")) == {}


def test_a_series_that_fails_is_noted_and_tried_at_the_next_start(scans, tmp_path):
    clinic, research = make_pair(tmp_path, TO_RESEARCH)
    folder = tmp_path / "broken"
    shutil.copytree(scans / "soft", folder)
    file = min(folder.iterdir())
    dataset = dcmread(file)
    dataset.PixelData = dataset.PixelData[:100]
    dataset.save_as(file)
    with research, clinic:
        send(clinic, folder).wait()
        wait_for(have_ended(clinic, folder))
        assert clinic.note(uid_of(folder))["state"] == "failed"
        assert "PixelData" in clinic.note(uid_of(folder))["reason"]
        clinic.kill()
        clinic.start()
        wait_for(lambda: clinic.log.count(": failed ") == 2)
        assert research.count() == 0
        assert "SYNTHETIC" not in clinic.log


def test_without_a_destination_orthanc_runs_and_nothing_is_harmonized(scans, tmp_path):
    clinic, _ = make_pair(tmp_path, {})
    with clinic:
        assert send(clinic, scans / "soft").wait() == 0
        wait_for(lambda: next(iter(clinic.series().values()))["IsStable"])
        assert 'give either "ResearchDestination" or "ClinicalDestination"' in clinic.log
        assert not clinic.children()
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ({"ResearchDestination": "nowhere"}, "nowhere is not one of the DicomModalities"),
        ({"ResearchDestination": "own"}, "own has the AET of this Orthanc, CLINIC"),
    ],
)
def test_a_destination_is_looked_up(destination, message, tmp_path):
    clinic, _ = make_pair(tmp_path, destination)
    clinic.settings["DicomModalities"]["own"] = ["CLINIC", "127.0.0.1", clinic.dicom_port]
    with clinic:
        wait_for(lambda: f"nothing is harmonized: {message}" in clinic.log)


def load(monkeypatch, configuration):
    """Run the script with a small stand-in for the module that Orthanc brings."""
    stand_in, said, registered = ModuleType("orthanc"), [], []
    stand_in.OrthancException = RuntimeError
    stand_in.GetConfiguration = lambda: json.dumps(configuration)
    stand_in.LogError = said.append
    stand_in.RegisterOnChangeCallback = registered.append
    monkeypatch.setitem(sys.modules, "orthanc", stand_in)
    monkeypatch.syspath_prepend(str(SCRIPT.parent))  # as Orthanc does
    spec = importlib.util.spec_from_file_location("rgan_orthanc", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "rgan_orthanc", module)
    spec.loader.exec_module(module)
    return said, registered


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ClinicalDestination": "pacs"}, 'give either "ResearchDestination"'),
        ({"ResearchDestination": "self"}, 'make it the "ClinicalDestination"'),
        ({"Models": []}, '"Models" is missing'),
        ({"Models": "m"}, '"Models" is not a list'),
        ({"StateFolder": "state"}, '"StateFolder" is missing, or is no full path'),
        ({"Command": "/no/program"}, "there is no /no/program here"),
        ({"Modles": 1}, "unknown settings: Modles"),
    ],
)
def test_wrong_settings_are_named(monkeypatch, tmp_path, changes, message):
    right = {"Models": ["m"], "StateFolder": str(tmp_path), "Command": "true", **TO_RESEARCH}
    configuration = {"UserMetadata": {"Rgan": 4096}, "Rgan": right}
    assert load(monkeypatch, configuration)[0] == []
    said, registered = load(monkeypatch, {**configuration, "Rgan": {**right, **changes}})
    assert not registered
    assert message in said[0]


def test_the_name_of_the_metadata_is_needed(monkeypatch, tmp_path):
    said, registered = load(monkeypatch, {"Rgan": TO_RESEARCH})
    assert not registered
    assert '"UserMetadata": {"Rgan": 4096}' in said[0]


FOLDER = SCRIPT.parent


def read_json(name):
    return json.loads((FOLDER / name).read_text())


def test_the_settings_of_the_example_are_right(monkeypatch):
    configuration = read_json("orthanc.json")
    configuration["Rgan"]["Command"] = "true"
    said, registered = load(monkeypatch, configuration)
    assert (said, len(registered)) == ([], 1)
    for name, value in read_json("research.json").items():
        if name not in ("Name", "DicomAet", "DicomModalities", "Plugins"):
            assert configuration[name] == value


def test_the_containers_find_each_other_and_are_open_to_this_machine_alone():
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    services, configuration = compose["services"], read_json("orthanc.json")
    aet, host, port = configuration["DicomModalities"]["research"]
    research = read_json("research.json")
    assert (aet, port) == (research["DicomAet"], 4242)
    assert host in services
    sender, host, _ = research["DicomModalities"]["originals"]
    assert sender == configuration["DicomAet"]
    assert host in services
    volumes = set()
    for service in services.values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        for source, target, *_ in (volume.split(":") for volume in service["volumes"]):
            assert (FOLDER / source).is_file() or source in compose["volumes"]
            volumes.add(target)
    assert {f"/etc/rgan/{script.name}" for script in FOLDER.glob("*.py")} <= volumes
    paths = [configuration["PythonScript"], configuration["StorageDirectory"]]
    paths.append(configuration["Rgan"]["StateFolder"])
    assert all(any(path.startswith(volume) for volume in volumes) for path in paths)
    dockerfile = (FOLDER.parents[1] / "containers/orthanc.Dockerfile").read_text()
    assert "/etc/rgan/orthanc.json" in volumes
    assert 'CMD ["/etc/rgan/orthanc.json"]' in dockerfile
    assert "/var/lib/rgan" in dockerfile
