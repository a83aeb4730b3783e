"""The module for 3D Slicer, with small stand-ins for the modules that Slicer brings."""

import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from support.models import make_domain_card, write_model

import rgan_sdk as rgan

FOLDER = Path(__file__).parents[2] / "examples/slicer/RganHarmonize"
HU = np.random.default_rng(0).integers(-1000, 900, (3, 20, 30)).astype(np.int16)
IJK_TO_RAS = np.array([[-0.7, 0, 0, 100], [0, -0.7, 0, 80], [0, 0, 2, -300], [0, 0, 0, 1]])


class Matrix:
    """A ``vtkMatrix4x4``."""

    values = np.eye(4)


class Volume:
    """A ``vtkMRMLScalarVolumeNode``."""

    def __init__(self, array=HU, ijk_to_ras=IJK_TO_RAS, name="CT", **attributes):
        self.array, self.name, self.attributes = np.array(array), name, attributes
        self.ijk_to_ras = getattr(ijk_to_ras, "values", ijk_to_ras)
        self.transform = None

    def GetName(self):
        return self.name

    def GetAttribute(self, name):
        return self.attributes.get(name)

    def GetSpacing(self):
        return tuple(float(each) for each in np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0))

    def GetIJKToRASMatrix(self, matrix):
        matrix.values = self.ijk_to_ras

    def GetTransformNodeID(self):
        return self.transform

    def SetAndObserveTransformNodeID(self, transform):
        self.transform = transform


@contextmanager
def with_error_display(shown, text, **_options):
    try:
        yield
    except Exception as error:
        shown.append(f"{text} {error}")


def make_slicer(shown):
    """Return what the module uses of ``slicer``; errors that it would display go to a list."""
    slicer = MagicMock()
    slicer.util.arrayFromVolume = lambda volume: volume.array
    slicer.util.addVolumeFromArray = Volume
    slicer.util.tryWithErrorDisplay = lambda text, **options: with_error_display(shown, text)
    slicer.util.errorDisplay = shown.append
    slicer.util.createProgressDialog.return_value = SimpleNamespace(
        maximum=0, value=0, wasCanceled=False, close=lambda: None
    )
    slicer.dicomDatabase.instanceValue = lambda uid, tag: {("1.2", "0018,1210"): "B40f"}.get(
        (uid, tag), ""
    )
    base = ModuleType("slicer.ScriptedLoadableModule")
    for kind in ("", "Logic", "Test", "Widget"):
        setattr(base, f"ScriptedLoadableModule{kind}", make_base(kind))
    return slicer, base


def make_base(kind):
    members = {"__init__": lambda self, parent=None: None, "delayDisplay": lambda self, text: None}
    if kind == "Widget":
        members |= {"layout": MagicMock(), "setup": lambda self: None}
    return type(f"ScriptedLoadableModule{kind}", (), members)


@pytest.fixture
def shown():
    return []


@pytest.fixture
def module(shown, monkeypatch):
    slicer, base = make_slicer(shown)
    vtk = SimpleNamespace(vtkMatrix4x4=Matrix)
    stand_ins = {"slicer": slicer, "slicer.ScriptedLoadableModule": base, "vtk": vtk}
    qt = MagicMock()
    qt.QPushButton.side_effect = lambda text: MagicMock()
    for name, stand_in in {**stand_ins, "qt": qt}.items():
        monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.syspath_prepend(str(FOLDER))  # as Slicer does
    spec = importlib.util.spec_from_file_location("RganHarmonize", FOLDER / "RganHarmonize.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    yield loaded
    for name in [name for name in sys.modules if name.startswith("RganHarmonizeLib")]:
        del sys.modules[name]


@pytest.fixture
def model(tmp_path):
    return str(write_model(tmp_path / "model.onnx", make_domain_card()))


@pytest.fixture
def harmonize_volume(module):
    from RganHarmonizeLib.volume import harmonize_volume

    return harmonize_volume


def expected(model, spacing=0.7):
    with rgan.Harmonizer.load(model) as harmonizer:
        return harmonizer(HU, pixel_spacing=spacing)


def test_voxels_are_those_of_the_harmonizer(harmonize_volume, model):
    found = harmonize_volume(HU, (0.6, 0.8), model, "b40F")
    assert found.dtype == np.float32
    assert np.array_equal(found, expected(model))


def test_another_kernel_is_refused(harmonize_volume, model):
    with pytest.raises(rgan.IneligibleError, match="the kernel is B70f; the model takes B40f"):
        harmonize_volume(HU, (0.7, 0.7), model, "B70f")


def test_a_spacing_that_the_model_is_not_made_for_is_refused(harmonize_volume, model):
    with pytest.raises(rgan.ConfigurationError, match=r"1\.5 mm"):
        harmonize_volume(HU, (1.5, 1.5), model)


def test_progress_and_cancellation(harmonize_volume, model):
    calls = []

    def on_slice(done, slices):
        calls.append((done, slices))
        return done < 2

    with pytest.raises(rgan.CancelledError):
        harmonize_volume(HU, (0.7, 0.7), model, on_slice=on_slice)
    assert calls == [(1, 3), (2, 3)]


def test_the_result_is_a_new_volume_at_the_same_place(module, model):
    volume = Volume()
    volume.transform = "vtkMRMLTransformNode1"
    result = module.RganHarmonizeLogic().process(volume, model)
    assert np.array_equal(result.array, expected(model))
    assert np.array_equal(result.ijk_to_ras, IJK_TO_RAS)
    assert result.transform == "vtkMRMLTransformNode1"
    assert result.name == "CT harmonized"
    assert np.array_equal(volume.array, HU)


def test_the_kernel_comes_from_the_dicom_database(module):
    logic = module.RganHarmonizeLogic()
    assert logic.find_kernel(Volume(**{"DICOM.instanceUIDs": "1.2 1.3"})) == "B40f"
    assert logic.find_kernel(Volume(**{"DICOM.instanceUIDs": "1.3"})) is None
    assert logic.find_kernel(Volume()) is None
    module.slicer.dicomDatabase = None
    assert logic.find_kernel(Volume(**{"DICOM.instanceUIDs": "1.2"})) is None


def test_packaged_models_are_offered(module):
    assert module.RganHarmonizeLogic().model_names() == list(rgan.packaged_models())


def make_widget(module, volume, model):
    widget = module.RganHarmonizeWidget()
    widget.setup()
    widget.volume.currentNode.return_value = volume
    widget.model.currentText = model
    return widget


def views(module):
    """Return the volumes that were put into the slice views."""
    return [
        call.kwargs["background"] for call in module.slicer.util.setSliceViewerLayers.mock_calls
    ]


def test_apply_shows_the_result(module, model, shown):
    volume = Volume(**{"DICOM.instanceUIDs": "1.2"})
    make_widget(module, volume, model).apply()
    (result,) = views(module)
    assert np.array_equal(result.array, expected(model))
    assert not shown
    module.slicer.util.confirmOkCancelDisplay.assert_not_called()


@pytest.mark.parametrize("sure", [True, False])
def test_apply_asks_where_the_kernel_is_not_known(module, model, sure):
    module.slicer.util.confirmOkCancelDisplay.return_value = sure
    make_widget(module, Volume(), model).apply()
    assert len(views(module)) == sure


def test_apply_says_what_is_wrong(module, model, shown):
    make_widget(module, None, model).apply()
    assert shown.pop() == "Choose a volume first."
    make_widget(module, Volume(), "no-such-model").apply()
    assert "no-such-model" in shown.pop()
    module.slicer.util.createProgressDialog.return_value.wasCanceled = True
    make_widget(module, Volume(), model).apply()
    assert "stopped" in shown.pop()
    assert views(module) == []


def test_what_is_not_installed_can_be_installed(module, monkeypatch):
    widget = make_widget(module, Volume(), "b40f-to-b70f")
    with monkeypatch.context() as absent:
        absent.setattr(module.RganHarmonizeLogic, "is_installed", lambda self: False)
        widget.update()
    assert widget.install_button.enabled
    assert not widget.apply_button.enabled
    widget.requirement.text = " a wheel.whl[cpu] "
    widget.install()
    module.slicer.util.pip_install.assert_called_once_with(["a wheel.whl[cpu]"])
    assert widget.apply_button.enabled
    assert not widget.install_button.enabled


def test_its_own_test_passes(module):
    module.RganHarmonizeTest().runTest()


def test_it_says_what_it_is(module):
    parent = SimpleNamespace()
    module.RganHarmonize(parent)
    assert parent.title == "RGAN Harmonize"
    assert "not a medical device" in parent.helpText
