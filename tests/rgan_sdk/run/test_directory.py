"""A folder in, a folder out, by the Python interface. tests/rgan_sdk/cli has the command line."""

import json

import pydicom
import pytest
from support.models import make_series_card, write_model
from support.runs import contents, new_series

from rgan_sdk.card import Range
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.run.directory import harmonize_directory, plan_directory
from rgan_sdk.run.options import RunOptions, Shard


class Listening:
    """An observer that remembers what it heard."""

    def __init__(self):
        self.heard = []

    def on_found(self, files):
        self.heard.append(("found", files))

    def on_planned(self, series, slices):
        self.heard.append(("planned", series, slices))

    def on_verified(self, files, total):
        self.heard.append(("verified", files, total))

    def on_started(self, series_instance_uid, slices):
        self.heard.append(("started", slices))

    def on_written(self, slices):
        self.heard.append(("written", slices))

    def on_finished(self, entry):
        self.heard.append(("finished", entry.status))


def test_what_is_planned_is_done(source, tmp_path, bound):
    planned = plan_directory(source, tmp_path / "out", bound())
    assert not (tmp_path / "out").exists()
    report = harmonize_directory(source, tmp_path / "out", bound())
    assert planned.model == report.model
    assert planned.engine == report.engine
    assert planned.summary["series"] == {"planned": 1, "skipped": 1, "failed": 0}
    assert report.summary["series"] == {"done": 1, "skipped": 1, "failed": 0}
    assert [file.path for file in planned.files] == [file.path for file in report.files]
    (folder,) = new_series(tmp_path / "out")
    assert report.series[-1].output == folder.name
    assert len(list(folder.iterdir())) == 3


@pytest.mark.usefixtures("suspect", "full_disk")
def test_a_full_disk_leaves_no_series_aside(source, tmp_path, bound):
    report = harmonize_directory(source, tmp_path / "out", bound(), RunOptions(strict_kernel=True))
    assert report.summary["series"] == {"done": 0, "skipped": 1, "failed": 1}
    (failed,) = (entry for entry in report.series if entry.status == "failed")
    assert failed.reason.endswith("(No space left on device)")


def test_the_observer_hears_all_of_it_in_order(source, tmp_path, bound):
    observer = Listening()
    harmonize_directory(source, tmp_path / "out", bound(2), observer=observer)
    assert observer.heard == [
        ("found", 6),
        ("planned", 1, 3),
        ("started", 3),
        ("written", 2),
        ("written", 1),
        ("finished", "done"),
    ]


def test_the_observer_hears_of_what_is_finished_already(source, tmp_path, bound):
    harmonize_directory(source, tmp_path / "out", bound())
    observer = Listening()
    harmonize_directory(source, tmp_path / "out", bound(), observer=observer)
    assert observer.heard[-3:] == [("planned", 1, 3), ("written", 3), ("finished", "done")]


def test_the_observer_hears_of_files_that_are_read_again(source, tmp_path, bound):
    harmonize_directory(source, tmp_path / "out", bound())
    observer, options = Listening(), RunOptions(verify_outputs=True)
    harmonize_directory(source, tmp_path / "out", bound(), options, observer=observer)
    assert observer.heard[-4:-2] == [("planned", 1, 3), ("verified", 3, 3)]


def test_a_plan_on_several_devices_names_them_all(source, tmp_path, bound):
    report = plan_directory(
        source, tmp_path / "out", bound(8, "cuda:0"), others=[bound(2, "cuda:1")]
    )
    assert report.engine["device"] == "cuda:0,cuda:1"
    assert report.engine["batch_size"] == 2


def test_the_callers_harmonizer_stays_as_it_was(source, tmp_path, bound):
    one, other = bound(8), bound(2)
    report = harmonize_directory(source, tmp_path / "out", one, others=[other])
    assert report.engine["batch_size"] == 2
    assert [(each.batch_size, each.fitting_batch_size) for each in (one, other)] == [(8, 8), (2, 2)]
    assert one.engine.infer is not None  # and it is still open
    with one:
        assert one.is_automatic


def test_a_plan_refuses_what_the_run_would_refuse(source, tmp_path, bound):
    out = tmp_path / "out"
    harmonize_directory(source, out, bound(asked=4))
    for options, harmonizer, message in (
        (RunOptions(outside_domain=("spacing",)), bound(asked=4), "another options"),
        (RunOptions(shard=Shard(1, 2)), bound(asked=4), "another options"),
        (RunOptions(), bound(asked=2), "another configuration"),
        (RunOptions(resume=False), bound(asked=4), "leave --no-resume out"),
    ):
        for function in (plan_directory, harmonize_directory):
            with pytest.raises(OutputError, match=message):
                function(source, out, harmonizer, options)
    with pytest.raises(ConfigurationError, match="lie inside each other"):
        plan_directory(source, source / "out", bound())


def test_threads_and_durability_change_no_byte(source, tmp_path, bound):
    for number, options in enumerate(
        (RunOptions(workers=1), RunOptions(workers=3, durable=False, preview=True))
    ):
        harmonize_directory(source, tmp_path / str(number), bound(), options)
    assert contents(tmp_path / "0") == contents(tmp_path / "1")
    assert (tmp_path / "1" / "previews" / "contact-sheet.png").is_file()


def test_what_a_series_becomes_does_not_depend_on_the_others(tmp_path, bound):
    """Neither on their spacing nor on the order in which they are found."""
    for number, spacing in enumerate((0.8, 0.6, 0.8)):
        add = {"seed": number, "pixel_spacing": spacing}
        write_sample_series(tmp_path / "all" / str(number), "B40f", slices=3, size=64, **add)
        write_sample_series(tmp_path / "turned" / str(9 - number), "B40f", slices=3, size=64, **add)
        write_sample_series(tmp_path / f"only-{number}", "B40f", slices=3, size=64, **add)
    path = write_model(tmp_path / "m.onnx", make_series_card())
    with Harmonizer.load(path, engine="onnxruntime", device="cpu", batch_size=2) as harmonizer:
        for source in ("all", "turned", "only-0", "only-1", "only-2"):
            report = harmonize_directory(tmp_path / source, tmp_path / f"{source}-out", harmonizer)
            assert report.summary["series"]["failed"] == 0
    together = contents(tmp_path / "all-out")
    assert together == contents(tmp_path / "turned-out")
    apart = [contents(tmp_path / f"only-{number}-out") for number in range(3)]
    assert together == apart[0] | apart[1] | apart[2]


def test_noise_outside_the_domain_is_a_note(tmp_path):
    write_sample_series(tmp_path / "in", "B40f", slices=4, size=256, pixel_spacing=1.4)
    for number, (stated, note) in enumerate(
        [
            (Range(5.0, 50.0), ()),
            (Range(60.0, 90.0), ("HU; the model is made for 60 to 90 HU",)),
        ]
    ):
        card = make_series_card(noise_hu=stated)
        path = write_model(tmp_path / f"{number}.onnx", card)
        with Harmonizer.load(path, engine="identity", device="cpu", batch_size=4) as harmonizer:
            report = harmonize_directory(tmp_path / "in", tmp_path / str(number), harmonizer)
        (entry,) = report.series
        assert entry.status == "done"
        assert len(entry.notes) == len(note)
        assert all(text in found for text, found in zip(note, entry.notes, strict=True))


def test_what_was_outside_stands_in_journal_report_and_files(tmp_path):
    write_sample_series(tmp_path / "in", "B70f", slices=2, size=64, pixel_spacing=0.2)
    path = write_model(tmp_path / "m.onnx", make_series_card())
    options = RunOptions(outside_domain=("kernel", "spacing", "manufacturer"))
    with Harmonizer.load(path, engine="onnxruntime", device="cpu") as harmonizer:
        report = harmonize_directory(tmp_path / "in", tmp_path / "out", harmonizer, options)
    assert report.series[0].outside == ("kernel", "spacing")
    lines = (tmp_path / "out" / ".rgan" / "journal.jsonl").read_text().splitlines()
    assert json.loads(lines[1])["outside"] == ["kernel", "spacing"]
    (folder,) = new_series(tmp_path / "out")
    for file in folder.iterdir():
        text = pydicom.dcmread(file).DerivationDescription
        assert text.endswith(" Outside the model's stated domain: kernel, spacing. Research use.")


def test_what_the_harmonizer_was_loaded_with_is_accepted_too(tmp_path):
    write_sample_series(tmp_path / "in", "B70f", slices=2, size=64, pixel_spacing=0.2)
    path = write_model(tmp_path / "m.onnx", make_series_card())
    with Harmonizer.load(
        path, engine="identity", device="cpu", outside_domain=("kernel",)
    ) as harmonizer:
        (refused,) = plan_directory(tmp_path / "in", tmp_path / "out", harmonizer).series
        options = RunOptions(outside_domain=("spacing",))
        (planned,) = plan_directory(tmp_path / "in", tmp_path / "out", harmonizer, options).series
        report = harmonize_directory(tmp_path / "in", tmp_path / "out", harmonizer, options)
    assert refused.reason.startswith("PixelSpacing (0028,0030) is 0.2 mm")
    assert "ConvolutionKernel" not in refused.reason
    assert (planned.status, report.series[0].status) == ("planned", "done")
    run = json.loads((tmp_path / "out" / ".rgan" / "journal.jsonl").read_text().splitlines()[0])
    assert run["options"]["outside_domain"] == ["kernel", "spacing"]


def test_the_report_is_kept_beside_the_series(source, tmp_path, bound):
    options = RunOptions(checksums=True)
    report = harmonize_directory(source, tmp_path / "out", bound(), options)
    kept = json.loads((tmp_path / "out" / ".rgan" / "report.json").read_text())
    assert kept == json.loads(report.to_json())
    assert all(len(file["sha256"]) == 64 for file in kept["files"])


def test_a_report_that_cannot_be_kept_is_a_warning(source, tmp_path, bound):
    (tmp_path / "out" / ".rgan" / "report.json").mkdir(parents=True)
    report = harmonize_directory(source, tmp_path / "out", bound())
    assert report.summary["series"]["done"] == 1
    (warning,) = report.warnings
    assert "cannot write the report" in warning
