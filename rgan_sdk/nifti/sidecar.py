"""The JSON beside a NIfTI file, as dcm2niix and BIDS write it, and what we add to it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final

from rgan_sdk.dicom.uids import HARMONIZED_CODE, has_mark
from rgan_sdk.errors import NiftiError
from rgan_sdk.kernels.name import kernel_name

SUFFIX: Final = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
SUFFIX_OF_DICOM: Final = re.compile(r"(^| )RGAN>(?!IDENTITY$).+$")
HARMONIZATION: Final = "Harmonization"
"""The key under which a derived file's sidecar says how it was made."""


def is_nifti(path: str | Path) -> bool:
    """Return whether a name is that of a NIfTI file: ``.nii`` or ``.nii.gz``."""
    return SUFFIX.search(os.fspath(path)) is not None


def sidecar_path(path: Path) -> Path:
    """Return the name of a NIfTI file's sidecar."""
    return path.with_name(SUFFIX.sub("", path.name) + ".json")


class Sidecar:
    """What a sidecar says; nothing if there is none.

    Parameters
    ----------
    fields
        The whole JSON object. Keys have the names that dcm2niix gives them.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields

    @classmethod
    def of(cls, path: Path) -> Sidecar:
        """Read the sidecar of a NIfTI file.

        Raises
        ------
        NiftiError
            If it is there and is no JSON object.
        """
        beside = sidecar_path(path)
        try:
            fields = json.loads(beside.read_bytes())
        except FileNotFoundError:
            return cls({})
        except OSError as exc:
            raise NiftiError(f"{beside.name}: cannot be read ({exc.strerror})") from exc
        except (ValueError, RecursionError) as exc:
            raise NiftiError(f"{beside.name}: is no JSON") from exc
        if not isinstance(fields, dict):
            raise NiftiError(f"{beside.name}: is no JSON object")
        return cls(fields)

    @property
    def kernel(self) -> str | None:
        """All values of ConvolutionKernel, as ``kernel_name`` spells them; None where absent."""
        return kernel_name("\\".join(self._texts("ConvolutionKernel"))) or None

    @property
    def manufacturer(self) -> str:
        """Empty where it is not stated."""
        return " ".join(self._texts("Manufacturer"))

    @property
    def image_type(self) -> tuple[str, ...]:
        """The values of ImageType, in upper case."""
        return tuple(text.upper() for text in self._texts("ImageType"))

    @property
    def is_ct(self) -> bool:
        """Whether Modality is CT, or not stated."""
        return self._texts("Modality") in ([], ["CT"])

    @property
    def slice_thickness(self) -> float | None:
        """In mm."""
        found = self._numbers("SliceThickness")
        return found[0] if len(found) == 1 else None

    @property
    def orientation(self) -> tuple[float, ...] | None:
        """ImageOrientationPatient (0020,0037); None where it is not stated."""
        found = self._numbers("ImageOrientationPatientDICOM")
        return found if len(found) == 6 else None

    @property
    def is_harmonized(self) -> bool:
        """Whether the pixels have been harmonized, in this file or before it was converted.

        Of DICOM series that we wrote, dcm2niix states the scanner, and their description, whose end
        says so, or with ``-ba n`` their UID.
        """
        record = self.fields.get(HARMONIZATION)
        was_copied = isinstance(record, dict) and record.get("engine") == "identity"
        return (
            (record is not None and not was_copied)
            or any(map(SUFFIX_OF_DICOM.search, self._texts("SeriesDescription")))
            or any(has_mark(u, HARMONIZED_CODE) for u in self._texts("SeriesInstanceUID"))
        )

    @property
    def is_record(self) -> bool:
        """Whether a run of ours wrote it."""
        return HARMONIZATION in self.fields

    def derive(self, kernel: str | None, suffix: str, record: dict[str, Any]) -> str:
        """Return the JSON text for a derived file, changed as headers of derived DICOM are.

        Parameters
        ----------
        kernel
            ConvolutionKernel of the source: how the scan was reconstructed.
        suffix
            What is appended to SeriesDescription.
        record
            How the file was made.
        """
        description = " ".join([*self._texts("SeriesDescription"), suffix])
        image_type = ["DERIVED", "SECONDARY", *self._texts("ImageType")[2:]]
        fields = {
            **self.fields,
            **({"ConvolutionKernel": kernel} if kernel else {}),
            "SeriesDescription": description,
            "ImageType": image_type,
            HARMONIZATION: record,
        }
        return json.dumps(fields, indent=1, ensure_ascii=False) + "\n"

    def _texts(self, name: str) -> list[str]:
        value = self.fields.get(name)
        found = value if isinstance(value, list) else [value]
        return [one for one in found if isinstance(one, str)]

    def _numbers(self, name: str) -> tuple[float, ...]:
        value = self.fields.get(name)
        found = value if isinstance(value, list) else [value]
        return tuple(float(one) for one in found if isinstance(one, int | float))
