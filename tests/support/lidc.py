"""Small files in the XML of LIDC-IDRI."""

from support.dicom_phantoms import uid

STUDY = uid(1)


def square(left, top, right, bottom):
    """Return the pixels of an outline around a box; right and bottom are just outside of it."""
    across, down = range(left - 1, right + 1), range(top - 1, bottom + 1)
    return [
        *((x, top - 1) for x in across),
        *((right, y) for y in down[1:]),
        *((x, bottom) for x in across[-2::-1]),
        *((left - 1, y) for y in down[-2:0:-1]),
    ]


def roi(z, pixels, inclusion="TRUE", image="1.2.3"):
    """Return an outline on a slice as XML."""
    edges = "".join(
        f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in pixels
    )
    return (
        f"<roi><imageZposition>{z} </imageZposition><imageSOP_UID>{image}</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{edges}</roi>"
    )


def write_nodules(path, *readers, study=STUDY):
    """Write the nodules of each reader, lists of rois; return the path."""
    sessions = "".join(
        "<readingSession>"
        + "".join(
            f"<unblindedReadNodule><noduleID>N{number}</noduleID>{''.join(rois)}"
            "</unblindedReadNodule>"
            for number, rois in enumerate(nodules)
        )
        + "<nonNodule><imageZposition>-4</imageZposition></nonNodule></readingSession>"
        for nodules in readers
    )
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<LidcReadMessage xmlns="http://www.nih.gov">'
        f"<ResponseHeader><StudyInstanceUID>{study}</StudyInstanceUID></ResponseHeader>"
        f"{sessions}</LidcReadMessage>"
    )
    return path
