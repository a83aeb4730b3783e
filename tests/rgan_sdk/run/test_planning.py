"""Which series a run takes, and why not the others."""

import dataclasses

import pydicom
import pytest
from support.dicom_phantoms import uid, write_series
from support.models import make_card, make_domain_card

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.harmonizer import DOMAINS
from rgan_sdk.run.choosing.candidates import Candidate
from rgan_sdk.run.observer import SilentObserver
from rgan_sdk.run.options import RunOptions, Shard
from rgan_sdk.run.planning import make_plan


def kernels(series):
    return [one.convolution_kernel for one in series]


def plan_for(source, card, options=None):
    return make_plan(source, [Candidate.of(card)], options)


def test_the_card_decides(source, card):
    plan = plan_for(source, card)
    assert kernels(plan.chosen) == ["B40f"]
    assert plan.slices == 3
    ((series, reason),) = plan.skipped
    assert series.convolution_kernel == "H30s"
    assert "ConvolutionKernel (0018,1210) is H30s; the model takes B40f" in reason
    assert [path.path.name for path in plan.inventory.outcomes] == ["notes.txt"]


@pytest.mark.parametrize(("named", "taken"), [("Br40d", 1), (r"Br40d\3", 2), (r"br40d\2", None)])
def test_all_values_of_the_kernel_decide(tmp_path, card, named, taken):
    """An iterative reconstruction is none of the model for filtered back projection."""
    write_series(tmp_path, 1, series=1, ConvolutionKernel="Br40d")
    write_series(tmp_path, 1, series=2, ConvolutionKernel=["Br40d", "3"])
    plan = plan_for(tmp_path, dataclasses.replace(card, source_kernels=(named,)))
    uids = [series.series_instance_uid for series in plan.chosen]
    assert uids == ([] if taken is None else [uid(1, taken)])
    if taken == 1:
        ((_, reason),) = plan.skipped
        assert r"ConvolutionKernel (0018,1210) is Br40d\3; the model takes Br40d" in reason


def test_without_a_card_or_with_the_kernel_accepted_all_are_chosen(source, card):
    for plan in (
        make_plan(source),
        plan_for(source, card, RunOptions(outside_domain=["kernel"])),
    ):
        assert sorted(kernels(plan.chosen)) == ["B40f", "H30s"]
        assert plan.skipped == ()


def test_each_reason_names_the_attribute_and_the_option(tmp_path):
    other = {"ConvolutionKernel": "B70f", "Manufacturer": "Philips", "PixelSpacing": [1, 1]}
    write_series(tmp_path, 1, ReconstructionAlgorithm="ITERATIVE", **other)
    card = make_domain_card()
    ((_, reason),) = plan_for(tmp_path, card).skipped
    assert reason == (
        "ConvolutionKernel (0018,1210) is B70f; the model takes B40f; "
        "Manufacturer (0008,0070) is Philips; the model takes SIEMENS; "
        "PixelSpacing (0028,0030) is 1 mm; the model takes 0.6 to 0.9; "
        "reconstruction is ITERATIVE; the model takes filtered back projection "
        "(or use --outside-domain kernel,manufacturer,spacing,reconstruction)"
    )
    options = RunOptions(outside_domain=["kernel", "spacing", "reconstruction"])
    ((_, reason),) = plan_for(tmp_path, card, options).skipped
    assert reason == (
        "Manufacturer (0008,0070) is Philips; the model takes SIEMENS "
        "(or use --outside-domain manufacturer)"
    )
    assert len(plan_for(tmp_path, card, RunOptions(outside_domain=DOMAINS)).chosen) == 1


def test_a_scan_by_ge_with_a_kernel_of_siemens_is_no_scan_by_siemens(tmp_path):
    write_series(tmp_path, 1, Manufacturer="GE MEDICAL SYSTEMS", ConvolutionKernel="B40f")
    ((_, reason),) = plan_for(tmp_path, make_domain_card()).skipped
    assert reason.startswith("Manufacturer (0008,0070) is GE MEDICAL SYSTEMS; the model takes SIEM")


def test_pixels_that_are_not_square_are_refused(tmp_path, card):
    write_series(tmp_path, 1, series=1, PixelSpacing=[0.7, 0.703])  # by less than 0.5 %
    write_series(tmp_path, 1, series=2, PixelSpacing=[0.704, 0.7])
    plan = plan_for(tmp_path, card, RunOptions(outside_domain=DOMAINS))
    assert [one.mean_pixel_spacing for one in plan.chosen] == [pytest.approx(0.7015)]
    ((_, reason),) = plan.skipped
    assert "PixelSpacing (0028,0030) is 0.704 and 0.7 mm: pixels are not square" in reason
    of_format_1 = make_plan(
        tmp_path, [Candidate.of(make_card())], RunOptions(outside_domain=DOMAINS)
    )
    assert len(of_format_1.chosen) == 2


def test_pixels_that_are_not_square_hide_no_other_reason(tmp_path):
    other = {"ConvolutionKernel": "B70f", "Manufacturer": "Philips", "PixelSpacing": [1, 1.2]}
    write_series(tmp_path, 1, **other)
    card = make_domain_card()
    not_square = (
        "PixelSpacing (0028,0030) is 1 and 1.2 mm: pixels are not square, which models with a "
        "pixel spacing need; resample the series"
    )
    ((_, reason),) = plan_for(tmp_path, card).skipped
    assert reason == (
        f"{not_square}; ConvolutionKernel (0018,1210) is B70f; the model takes B40f; "
        "Manufacturer (0008,0070) is Philips; the model takes SIEMENS; "
        "PixelSpacing (0028,0030) is 1 and 1.2 mm, in the mean 1.1 mm; the model takes 0.6 to 0.9"
    )
    ((_, reason),) = make_plan(
        tmp_path, [Candidate.of(card)], RunOptions(outside_domain=DOMAINS)
    ).skipped
    assert reason == not_square


def test_series_run_by_ascending_pixel_spacing(tmp_path, card):
    for series, spacing in enumerate((0.8, 0.6, 0.7, 0.6)):
        write_series(tmp_path, 1, series=series, PixelSpacing=[spacing, spacing])
    plan = plan_for(tmp_path, card)
    assert [one.pixel_spacing[0] for one in plan.chosen] == [0.6, 0.6, 0.7, 0.8]
    assert [one.series_instance_uid for one in plan.chosen[:2]] == [uid(1, 1), uid(1, 3)]


def test_slices_of_another_spacing_are_a_series_of_their_own(tmp_path, card):
    first, second, _ = write_series(tmp_path, 3)
    for path, spacing in ((first, 0.7005), (second, 0.70009)):  # the latter is rounding
        dataset = pydicom.dcmread(path)
        dataset.PixelSpacing = [spacing, spacing]
        dataset.save_as(path)
    plan = plan_for(tmp_path, card)
    assert [len(one.slices) for one in plan.chosen] == [2, 1]


def test_unspecified_units_are_for_the_user_to_vouch_for(tmp_path):
    write_series(tmp_path, 2, RescaleType="US", RescaleIntercept=0)  # nothing below 0
    assert make_plan(tmp_path).chosen == ()
    assert len(make_plan(tmp_path, options=RunOptions(assume_hu=True)).chosen) == 1


def test_a_series_of_another_shard_is_skipped(source):
    parts = [make_plan(source, options=RunOptions(shard=Shard(i, 2))) for i in (1, 2)]
    chosen = [one.series_instance_uid for plan in parts for one in plan.chosen]
    assert len(chosen) == len(set(chosen)) == 2
    for number, plan in enumerate(parts, start=1):
        assert len(plan.chosen) + len(plan.skipped) == 2
        for skipped in plan.skipped:
            assert skipped.reason == f"belongs to another shard than {number}/2"


def test_the_observer_hears_of_each_file(source):
    class Counting(SilentObserver):
        heard = ()

        def on_found(self, files):
            self.heard += (files,)

    observer = Counting()
    make_plan(source, observer=observer)
    assert observer.heard[-1] == 6
    assert list(observer.heard) == sorted(observer.heard)


def test_a_plan_does_not_change(source):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_plan(source).chosen = ()


def test_what_is_not_there_is_refused(source):
    with pytest.raises(ConfigurationError, match="INPUT cannot be read"):
        make_plan(source.parent / "absent")


def test_one_file_can_be_planned_alone(source):
    first, *_ = sorted((source / "taken").iterdir())
    plan = make_plan(first)
    (series,) = plan.chosen
    assert [file.path for file in series.slices] == [first]
    assert (plan.source, plan.inventory.outcomes) == (first.parent, ())
    (notes,) = make_plan(source / "notes.txt").inventory.outcomes
    assert (notes.status, notes.reason) == ("skipped", "not DICOM")
