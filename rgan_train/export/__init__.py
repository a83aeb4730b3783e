"""A trained run as an ONNX file whose output is PyTorch's."""

from __future__ import annotations

from rgan_train.export.export import Export, Exported, export_run, load_graph

__all__ = [
    "Export",
    "Exported",
    "export_run",
    "load_graph",
]
