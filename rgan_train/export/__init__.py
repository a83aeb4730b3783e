"""Export a trained run as ONNX files that compute what PyTorch computes."""

from __future__ import annotations

from rgan_train.export.export import export_run, load_graph, open_validation_slices
from rgan_train.export.files import ExportedFile, ExportResult

__all__ = [
    "ExportResult",
    "ExportedFile",
    "export_run",
    "load_graph",
    "open_validation_slices",
]
