"""Which name the folder of a series has in OUTPUT, or would get."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rgan_sdk.dicom.series import Series, hash_slices
from rgan_sdk.dicom.write.derivation import Derivation, derived_series_uid, unmarked_series_uid
from rgan_sdk.files import is_there
from rgan_sdk.run.state.finished import FinishedSeries


def find_name(
    series: Series, derivation: Derivation | None, above: Path, earlier: Sequence[FinishedSeries]
) -> str:
    """Return the name of a series' folder.

    A finished series keeps the name that it has. It would get another one now where files that
    came late have changed the number of its group.

    Parameters
    ----------
    derivation
        How it is harmonized; None if it is copied.
    above
        The folder that its own lies in.
    earlier
        The finished series of its SeriesInstanceUID whose folders are there.
    """
    new = _new_name(series, derivation, above)
    if all(one.uid == new for one in earlier):
        return new
    made = (derivation.model_sha256 if derivation else "", hash_slices(series))
    names = [one.uid for one in earlier if (one.model, one.sources) == made]
    return new if new in names or not names else names[0]


def _new_name(series: Series, derivation: Derivation | None, above: Path) -> str:
    """Return the name that it would get now, or that an earlier version has given it."""
    if derivation is None:
        part = f"-{series.group}" if series.group else ""
        return f"{series.series_instance_uid}{part}"
    unmarked = unmarked_series_uid(series.series_instance_uid, derivation)
    if is_there(above / unmarked):
        return unmarked
    return derived_series_uid(series.series_instance_uid, derivation)
