"""Two thousand slices through Orthanc, while it, its destination and our process are ended."""

import shutil
import time
from collections import Counter

import pytest
from support.orthanc import harmonize, make_pair, read_folder, send, wait_for
from support.scale import keep_figures

from rgan_sdk.dicom.synthetic.sample import write_sample_series

SERIES, SLICES, ASSOCIATIONS = 40, 50, 20
TOTAL = SERIES * SLICES
FIRST, SECOND = "1700000000", "1800000000"
PATIENCE = 900.0  # seconds

pytestmark = pytest.mark.scale


class Site:
    """Two Orthancs, and what is done to them."""

    def __init__(self, folder):
        self.folders = [folder / "scans" / str(number) for number in range(SERIES)]
        for seed, target in enumerate(self.folders):
            write_sample_series(target, "B40f", slices=SLICES, size=64, seed=seed)
        self.originals = {}
        for one in self.folders:
            slices = read_folder(one)
            self.originals[next(iter(slices.values())).SeriesInstanceUID] = slices
        self.clinic, self.research = make_pair(
            folder, {"ResearchDestination": "research"}, epoch=FIRST, StableAge=2
        )
        self.faults = Counter()

    def restart_orthanc(self):
        self.clinic.stop()
        self.clinic.start()

    def kill_orthanc(self):
        self.clinic.kill()
        self.clinic.start()

    def kill_our_process(self):
        self.clinic.kill_child()

    def kill_destination(self):
        self.research.kill()
        time.sleep(1)
        self.research.start()

    def break_with(self, fault):
        fault()
        self.faults[fault.__name__] += 1

    def send_all(self):
        """Send with many associations at once, and again where one was broken; count these."""
        shares = [self.folders[number::ASSOCIATIONS] for number in range(ASSOCIATIONS)]
        sending = [(share, send(self.clinic, *share)) for share in shares]
        wait_for(lambda: self.clinic.count() > TOTAL / 4)
        self.break_with(self.kill_orthanc)
        broken = 0
        while again := [share for share, process in sending if process.wait(PATIENCE) != 0]:
            broken += len(again)
            sending = [(share, send(self.clinic, *share)) for share in again]
        return broken

    def break_all(self):
        """End one after the other, while series are harmonized and delivered."""
        faults = (
            self.kill_our_process,
            self.restart_orthanc,
            self.kill_our_process,
            self.kill_orthanc,
            self.kill_destination,
            self.kill_our_process,
        )
        for number, fault in enumerate(faults):
            share = number * TOTAL / len(faults)
            wait_for(lambda share=share: self.research.count() >= share, PATIENCE)
            self.break_with(fault)

    def wait(self):
        """Return when each series is noted as done."""
        for uid in self.originals:
            wait_for(lambda uid=uid: self.clinic.note(uid).get("state") == "done", PATIENCE)

    def forget(self):
        """Let all be harmonized again, at another time."""
        for uid in self.originals:
            key = self.clinic.series()[uid]["ID"]
            self.clinic.request(f"/series/{key}/metadata/Rgan", method="DELETE")
        self.clinic.stop()
        shutil.rmtree(self.clinic.settings["Rgan"]["StateFolder"])
        self.clinic.variables["SOURCE_DATE_EPOCH"] = SECOND
        self.clinic.start()


def difference(orthanc, expected):
    """Count the slices that an Orthanc lacks, has too many, or has with another content."""
    found = {uid: orthanc.read_back(uid) for uid in orthanc.series()}
    there = {one: dataset for slices in found.values() for one, dataset in slices.items()}
    wanted = {one: dataset for slices in expected.values() for one, dataset in slices.items()}
    return {
        "lost": len(wanted.keys() - there.keys()),
        "twice_or_unknown": orthanc.count() - len(wanted.keys() & there.keys()),
        "not_equal": sum(there[one] != wanted[one] for one in wanted.keys() & there.keys()),
    }


NONE = {"lost": 0, "twice_or_unknown": 0, "not_equal": 0}


def test_nothing_is_lost_and_nothing_comes_twice(tmp_path):
    site = Site(tmp_path)
    clinic, research = site.clinic, site.research
    first, second = (
        harmonize(tmp_path / "scans", tmp_path / epoch, epoch) for epoch in (FIRST, SECOND)
    )
    with research, clinic:
        begin = time.monotonic()
        broken = site.send_all()
        came_in = time.monotonic() - begin
        site.break_all()
        site.wait()
        delivered = time.monotonic() - begin
        figures = {
            "slices_in": clinic.count(),
            "series_in": len(clinic.series()),
            "associations_at_once": ASSOCIATIONS,
            "associations_broken_and_repeated": broken,
            "faults": dict(site.faults),
            "slices_out": research.count(),
            "series_out": len(research.series()),
            "harmonized": difference(research, first),
            "originals": difference(clinic, site.originals),
            "seconds_until_all_came_in": round(came_in, 1),
            "seconds_until_all_delivered": round(delivered, 1),
        }
        site.forget()
        site.wait()
        assert send(research, *site.folders).wait() == 0
        figures["second_run_with_originals"] = difference(research, first | second | site.originals)
        figures["studies"] = len(research.get("/studies"))
        figures["series_in_each_study"] = sorted(
            {len(one["Series"]) for one in research.get("/studies?expand")}
        )
        keep_figures("scale-orthanc", figures, orthanc=clinic.get("/system")["Version"])
    assert figures["slices_in"] == figures["slices_out"] == TOTAL
    assert figures["harmonized"] == figures["originals"] == NONE
    assert figures["second_run_with_originals"] == NONE
    assert (figures["studies"], figures["series_in_each_study"]) == (SERIES, [3])
    assert broken > 0
    assert site.faults.total() == 7
