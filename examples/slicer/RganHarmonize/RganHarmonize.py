"""A scripted module of 3D Slicer: harmonize a CT volume across convolution kernels."""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import qt
import slicer
import vtk
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

CONVOLUTION_KERNEL = "0018,1210"


class RganHarmonize(ScriptedLoadableModule):
    """What the list of modules shows."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "RGAN Harmonize"
        parent.categories = ["Filtering"]
        parent.dependencies = []
        parent.contributors = ["the rgan developers"]
        parent.helpText = (
            "Turns a CT volume made with one convolution kernel into the volume that another "
            "kernel would have given. For research only: not a medical device."
        )
        parent.acknowledgementText = "Models state their training data in their cards."


class RganHarmonizeWidget(ScriptedLoadableModuleWidget):
    """Choose a volume and a model, and apply."""

    def setup(self):
        """Make the controls."""
        super().setup()
        self.logic = RganHarmonizeLogic()
        form = qt.QFormLayout()
        self.layout.addLayout(form)
        self.requirement = qt.QLineEdit("rgan-sdk[cpu]")
        self.requirement.toolTip = "What pip installs: a name, or the path of a wheel with [cpu]"
        form.addRow("Package:", self.requirement)
        self.install_button = qt.QPushButton("Install")
        self.install_button.connect("clicked(bool)", self.install)
        form.addRow(self.install_button)
        self.volume = slicer.qMRMLNodeComboBox()
        self.volume.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.volume.addEnabled = self.volume.removeEnabled = self.volume.renameEnabled = False
        self.volume.setMRMLScene(slicer.mrmlScene)
        form.addRow("Volume:", self.volume)
        self.model = qt.QComboBox()
        self.model.editable = True
        self.model.toolTip = "A packaged model, or the path of a model file"
        form.addRow("Model:", self.model)
        self.apply_button = qt.QPushButton("Apply")
        self.apply_button.connect("clicked(bool)", self.apply)
        form.addRow(self.apply_button)
        self.layout.addStretch(1)
        self.update()

    def update(self):
        """Show what can be done now."""
        installed = self.logic.is_installed()
        self.requirement.enabled = self.install_button.enabled = not installed
        self.volume.enabled = self.model.enabled = self.apply_button.enabled = installed
        self.model.clear()
        self.model.addItems(self.logic.model_names() if installed else [])

    def install(self, _clicked=True):
        """Install the package into Slicer's Python."""
        with slicer.util.tryWithErrorDisplay("The package cannot be installed.", waitCursor=True):
            self.logic.install(self.requirement.text.strip())
        self.update()

    def apply(self, _clicked=True):
        """Harmonize the volume, and show the result."""
        volume = self.volume.currentNode()
        if volume is None:
            slicer.util.errorDisplay("Choose a volume first.")
            return
        kernel = self.logic.find_kernel(volume)
        if kernel is None and not slicer.util.confirmOkCancelDisplay(
            "The kernel of this volume is not known. Go on only if you know that it is one that "
            "the model takes."
        ):
            return
        with slicer.util.tryWithErrorDisplay("The volume was not harmonized."):
            result = self._harmonize(volume, kernel)
            slicer.util.setSliceViewerLayers(background=result)

    def _harmonize(self, volume, kernel):
        progress = slicer.util.createProgressDialog(labelText="Harmonizing", maximum=0)

        def show(done, slices):
            progress.maximum, progress.value = slices, done
            slicer.app.processEvents()
            return not progress.wasCanceled

        try:
            return self.logic.process(volume, self.model.currentText, kernel, show)
        finally:
            progress.close()


class RganHarmonizeLogic(ScriptedLoadableModuleLogic):
    """Between Slicer's volumes and arrays."""

    def is_installed(self):
        """Return whether the package is there."""
        return importlib.util.find_spec("rgan_sdk") is not None

    def install(self, requirement):
        """Install the package with pip."""
        slicer.util.pip_install([requirement])
        importlib.invalidate_caches()

    def model_names(self):
        """Return the names of the packaged models."""
        import rgan_sdk

        return list(rgan_sdk.packaged_models())

    def find_kernel(self, volume):
        """Return the ConvolutionKernel of a volume from Slicer's DICOM database, or None."""
        uids = (volume.GetAttribute("DICOM.instanceUIDs") or "").split()
        if not uids or slicer.dicomDatabase is None:
            return None
        return slicer.dicomDatabase.instanceValue(uids[0], CONVOLUTION_KERNEL) or None

    def process(self, volume, model, kernel=None, on_slice=lambda done, slices: True):
        """Return a new volume in the place of this one; see ``harmonize_volume``."""
        from RganHarmonizeLib.volume import harmonize_volume

        columns, rows, _ = volume.GetSpacing()
        hu = slicer.util.arrayFromVolume(volume)
        harmonized = harmonize_volume(hu, (rows, columns), model, kernel, on_slice)
        ijk_to_ras = vtk.vtkMatrix4x4()
        volume.GetIJKToRASMatrix(ijk_to_ras)
        name = f"{volume.GetName()} harmonized"
        result = slicer.util.addVolumeFromArray(harmonized, ijk_to_ras, name)
        result.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
        return result


class RganHarmonizeTest(ScriptedLoadableModuleTest):
    """Runs by "Reload and Test" in Slicer's developer mode."""

    def runTest(self):
        """Harmonize noise, and look where it lies."""
        hu = np.random.default_rng(0).normal(40, 20, (2, 64, 48)).astype(np.int16)
        volume = slicer.util.addVolumeFromArray(hu, np.diag([0.65, 0.65, 2.0, 1.0]), "noise")
        result = RganHarmonizeLogic().process(volume, "b40f-to-b70f", "B40f")
        assert slicer.util.arrayFromVolume(result).shape == hu.shape
        assert result.GetSpacing() == volume.GetSpacing()
        self.delayDisplay("The test passed")
