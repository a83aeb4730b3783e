"""Whether two series show one acquisition, reconstructed in one way but for the kernel.

Only what both series state is compared, slice by slice, because a series may hold slices of many
times. What one alone states is a remark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rgan_sdk.dicom.read.acquisition import Acquisition

TIME_TOLERANCE = 1.0
"""s. Two reconstructions of one slice have times less apart; some scanners cut off the fraction."""

NUMBER_TOLERANCE = 0.01
"""By how much SliceThickness in mm, KVP in kV and so on may differ."""


class _Difference(NamedTuple):
    """What both state differently, with both values where they may be shown."""

    keyword: str
    values: str = ""

    def __str__(self) -> str:
        return f"{self.keyword} {self.values}".rstrip()


class _OneSided(NamedTuple):
    """What one series alone states: 0 for the first, 1 for the second."""

    keyword: str
    series: int


def compare_acquisitions(
    a: Sequence[Acquisition], b: Sequence[Acquisition], kernels: tuple[str, str]
) -> tuple[str | None, tuple[str, ...]]:
    """Compare the slices at equal positions of two series.

    Parameters
    ----------
    a, b
        Of the same length.
    kernels
        The names of the two series in remarks.

    Returns
    -------
    difference, remarks
        What differs in the first slice that does, or None; and what one series alone states.
    """
    one_sided: dict[_OneSided, None] = {}
    other_words = False
    for number, (x, y) in enumerate(zip(a, b, strict=True)):
        found = list(_compare(x, y))
        differences = [str(each) for each in found if isinstance(each, _Difference)]
        if differences:
            return f"different in slice {number}: {'; '.join(differences)}", ()
        one_sided |= dict.fromkeys(each for each in found if isinstance(each, _OneSided))
        other_words |= x.image_type[2:] != y.image_type[2:]
    remarks = []
    for side, kernel in enumerate(kernels):
        keywords = [each.keyword for each in one_sided if each.series == side]
        if keywords:
            remarks.append(f"only the series with {kernel} states {', '.join(keywords)}")
    if other_words and not any(each.keyword == "ImageType" for each in one_sided):
        remarks.append("ImageType differs in words that name no other kind of image")
    for part, kernel in zip((a, b), kernels, strict=True):
        if any(each.simulated for each in part):
            remarks.append(f"the series with {kernel} is simulated")
    return None, tuple(remarks)


def _compare(x: Acquisition, y: Acquisition) -> Iterator[_Difference | _OneSided]:
    from rgan_sdk.dicom.read.acquisition import NUMBERS

    for keyword, unit in NUMBERS.items():
        yield from _compare_numbers(keyword, x.numbers.get(keyword), y.numbers.get(keyword), unit)
    yield from _compare_texts("AcquisitionDate", x.date, y.date, show=False)
    yield from _compare_times(x.seconds, y.seconds)
    yield from _compare_image_types(x, y)
    yield from _compare_texts("ContrastBolusAgent", x.contrast_agent, y.contrast_agent, show=False)
    yield from _compare_texts("reconstruction", x.reconstruction, y.reconstruction)


def _compare_numbers(
    keyword: str, x: float | None, y: float | None, unit: str
) -> Iterator[_Difference | _OneSided]:
    if x is None or y is None:
        yield from _find_one_sided(keyword, x is not None, y is not None)
    elif abs(x - y) > NUMBER_TOLERANCE:
        yield _Difference(keyword, f"{x:g} and {y:g} {unit}".rstrip())


def _compare_texts(
    keyword: str, x: str, y: str, *, show: bool = True
) -> Iterator[_Difference | _OneSided]:
    if not x or not y:
        yield from _find_one_sided(keyword, bool(x), bool(y))
    elif x != y:
        yield _Difference(keyword, f"{x} and {y}" if show else "")


def _compare_times(x: float | None, y: float | None) -> Iterator[_Difference | _OneSided]:
    if x is None or y is None:
        yield from _find_one_sided("AcquisitionTime", x is not None, y is not None)
    elif abs(x - y) >= TIME_TOLERANCE:
        yield _Difference("AcquisitionTime", f"{_format_time(x)} and {_format_time(y)}")


def _compare_image_types(x: Acquisition, y: Acquisition) -> Iterator[_Difference | _OneSided]:
    """Compare the meaning of ImageType, not the words of the vendor (PS3.3 C.8.2.1.1.1)."""
    if not x.image_type or not y.image_type:
        yield from _find_one_sided("ImageType", bool(x.image_type), bool(y.image_type))
        return
    start = 2 if x.simulated or y.simulated else 0
    named = zip(x.image_type[start:3], y.image_type[start:3], strict=False)
    if any(p and q and p != q for p, q in named) or _kinds(x.image_type) != _kinds(y.image_type):
        yield _Difference("ImageType", " and ".join("\\".join(z.image_type) for z in (x, y)))


def _kinds(image_type: Sequence[str]) -> set[str]:
    """Return the values that name another kind of image than a plain reconstruction."""
    from rgan_sdk.dicom.image_kind import special_kind

    kinds = {value: special_kind((value,)) for value in image_type}
    return {
        value if "monoenergetic" in kind else kind  # the value may name the energy
        for value, kind in kinds.items()
        if kind is not None
    }


def _find_one_sided(keyword: str, in_x: bool, in_y: bool) -> Iterator[_OneSided]:
    if in_x != in_y:
        yield _OneSided(keyword, 0 if in_x else 1)


def _format_time(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60:02}:{int(minutes) % 60:02}:{rest:06.3f}".removesuffix(".000")
