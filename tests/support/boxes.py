"""Files that mark boxes in a slice."""

from pathlib import Path


def write_boxes(path: Path, *corners: tuple[object, object, object, object]) -> Path:
    """Write Pascal VOC XML with boxes of xmin, ymin, xmax, ymax."""
    names = ("xmin", "ymin", "xmax", "ymax")
    objects = "".join(
        "<object><name>A</name><bndbox>"
        + "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, box, strict=True))
        + "</bndbox></object>"
        for box in corners
    )
    path.write_text(f"<annotation><size><depth>1</depth></size>{objects}</annotation>")
    return path
