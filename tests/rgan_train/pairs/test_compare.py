import pytest
from support.dicom_phantoms import uid, write_ct
from support.requirements import require_data
from support.training import write_pair_of_scans, write_scan

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.uids import code_item
from rgan_train.pairs.compare import Comparison, compare_series

PROJECTION = ["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MIP"]
MOMENT = "20200102030406.1+0100"


def compare(folder, first, second):
    """Compare two series of one scan, which have these attributes."""
    write_scan(folder, "B40f", series=1, slices=2, size=16, **first)
    write_scan(folder, "B70f", series=2, slices=2, size=16, **second)
    return compare_series(*find_series(folder).series)


@pytest.mark.parametrize(
    ("attribute", "first", "second", "reason"),
    [
        ("AcquisitionNumber", 1, 2, "AcquisitionNumber 1 and 2"),
        ("AcquisitionTime", "100500", "100630.5", "AcquisitionTime 10:05:00 and 10:06:30.500"),
        ("AcquisitionDate", "20200102", "20200103", "AcquisitionDate"),
        ("SliceThickness", "5.0", "1", "SliceThickness 5 and 1 mm"),
        ("KVP", 80, 140, "KVP 80 and 140 kV"),
        ("ContrastBolusAgent", "A^CANARY", "B^CANARY", "ContrastBolusAgent"),
        ("NominalPercentageOfCardiacPhase", 40.0, 75.0, "NominalPercentageOfCardiacPhase 40 and"),
        ("ReconstructionAlgorithm", "FILTER_BACK_PROJ", "ITERATIVE", "FILTER_BACK_PROJ and ITER"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"], PROJECTION, "AXIAL\\CT_SOM5 MIP"),
    ],
)
def test_what_both_state_must_agree(tmp_path, attribute, first, second, reason):
    difference, remarks = compare(tmp_path, {attribute: first}, {attribute: second})
    assert difference.startswith("different in slice 0: ")
    assert reason in difference
    assert "CANARY" not in difference
    assert remarks == ()


@pytest.mark.parametrize("other", ["Br40d", "Br60d"])
def test_another_strength_is_another_reconstruction(tmp_path, other):
    kernels = ({"ConvolutionKernel": ["Br40d"]}, {"ConvolutionKernel": [other, "3"]})
    expected = f"different reconstruction: ConvolutionKernel Br40d and {other}\\3"
    assert compare(tmp_path, *kernels).difference == expected


def test_only_one_series_states_its_reconstruction(tmp_path):
    difference, remarks = compare(tmp_path, {}, {"ReconstructionAlgorithm": "ITERATIVE"})
    assert difference is None
    assert remarks == ("only the series with B70f states reconstruction",)


def test_all_that_differs_in_a_slice_is_named(tmp_path):
    found = compare(tmp_path, {}, {"KVP": 80, "AcquisitionNumber": 2})
    assert found.difference == (
        "different in slice 0: AcquisitionNumber 1 and 2; KVP 120 and 80 kV"
    )


def test_slices_are_compared_at_equal_positions(tmp_path):
    root = write_pair_of_scans(tmp_path, slices=2, size=16)
    for series, kernel in enumerate(("B40f", "B70f"), start=1):
        last = {
            "PatientID": "patient 1",
            "StudyInstanceUID": uid(1),
            "FrameOfReferenceUID": uid(1, 2),
            "SeriesInstanceUID": uid(1, 1, series),
            "SOPInstanceUID": uid(1, 1, series, 9),
            "ImagePositionPatient": [-10, -20, 4],
            "AcquisitionTime": "030409.25",
            "AcquisitionNumber": 1 + series,
        }
        write_ct(root / f"1-{kernel}" / "last.dcm", ConvolutionKernel=kernel, **last)
    found = compare_series(*find_series(root).series)
    assert found.difference == "different in slice 2: AcquisitionNumber 2 and 3"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"AcquisitionTime": "100500"}, {"AcquisitionTime": "100500.873"}),
        ({"SliceThickness": "2.0"}, {"SliceThickness": "2"}),
        ({"ContrastBolusAgent": "Iomeron  300"}, {"ContrastBolusAgent": "IOMERON 300"}),
        ({"ConvolutionKernel": ["Br40d", "3"]}, {"ConvolutionKernel": ["Br60d", "3"]}),
        ({"AcquisitionDate": None, "AcquisitionTime": None, "AcquisitionDateTime": MOMENT}, {}),
    ],
)
def test_spelling_does_not_matter(tmp_path, first, second):
    assert compare(tmp_path, first, second) == Comparison(None)


@pytest.mark.parametrize(
    ("words", "other", "pairs"),
    [
        (["CT_SOM5 SPI"], ["CT_SOM5 SEQ"], True),
        (["HELIX"], [], True),
        (["CT_SOM5 SPI"], ["CT_SOM5 SPI", "AVERAGE"], False),
        (["DE_MONO_50"], ["DE_MONO_70"], False),
        (["MPR"], ["IODINE"], False),
    ],
)
def test_image_type_is_compared_by_its_meaning(tmp_path, words, other, pairs):
    first, second = (
        {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", *each]} for each in (words, other)
    )
    difference, remarks = compare(tmp_path, first, second)
    assert (difference is None) == pairs
    assert remarks == (("ImageType differs in words that name no other kind of image",) * pairs)


def test_what_one_alone_states_is_a_remark(tmp_path):
    absent = {"AcquisitionNumber": None, "KVP": "", "ImageType": None}
    difference, remarks = compare(tmp_path, {"ContrastBolusAgent": "Iomeron"}, absent)
    assert difference is None
    assert remarks == (
        "only the series with B40f states AcquisitionNumber, KVP, ImageType, ContrastBolusAgent",
    )


def test_a_simulated_series_is_a_pair_with_its_source(tmp_path):
    simulated = {
        "ImageType": ["DERIVED", "SECONDARY", "AXIAL"],
        "DerivationCodeSequence": [code_item("SIMULATED", "99RGAN", "Simulated")],
    }
    for source in ("B40f", ["B40f", "3"]):
        found = compare(tmp_path, {"ConvolutionKernel": source}, simulated)
        assert found == Comparison(None, ("the series with B70f is simulated",))


@pytest.mark.parametrize(
    ("name", "remarks"),
    [
        ("pair_lungdx_A0002_siemens", ()),
        # Only the soft series states an iDose level.
        ("pair_philips_headphantom_step2", ("only the series with UB states reconstruction",)),
    ],
)
def test_real_pairs_stay_pairs(name, remarks):
    series = find_series(require_data(name)).series
    assert compare_series(*series) == Comparison(None, remarks)
