"""Arrays of Hounsfield units in, arrays of Hounsfield units out. Knows no DICOM."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines import create_engine
from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import ConfigurationError, DeviceMemoryError, InferenceError, check_type
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.slices import are_same_memory, pad_to_multiple

DOMAINS = ("kernel", "manufacturer", "spacing", "reconstruction")
"""What a series must share with the model's card, unless the user accepts that it does not."""
ACCEPT = 'accept that with outside_domain=("spacing",) or `--outside-domain spacing`'


@dataclass(frozen=True)
class HarmonizerConfig:
    """What opens a harmonizer, for processes that need one each: it can be pickled.

    Threads: it never changes, so any number may share one.

    Attributes
    ----------
    model, engine, device, precision, batch_size, outside_domain
        As ``Harmonizer.load`` takes them.
    sha256
        Of the model file, which is compared when it is opened; None takes any.

    Raises
    ------
    ConfigurationError
        If batch size or ``outside_domain`` make no sense.
    """

    model: str | Path
    engine: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    outside_domain: Collection[str] = ()
    sha256: str | None = None

    def __post_init__(self) -> None:
        _check(self.batch_size)
        object.__setattr__(self, "outside_domain", check_domains(self.outside_domain))

    def open(self) -> Harmonizer:
        """Open the model with the engine, or raise as ``Harmonizer.load`` does."""
        return Harmonizer.load(
            HarmonizationModel.open(self.model, sha256=self.sha256),
            engine=self.engine,
            device=self.device,
            precision=self.precision,
            batch_size=self.batch_size,
            outside_domain=self.outside_domain,
        )


class Harmonizer:
    """Pads, batches, infers and crops.

    Threads: any number may share one, and each gets the bits that it would get alone. They wait for
    each other at the engine. Processes need one each; ``config`` can be sent to them.

    Parameters
    ----------
    engine
        An opened engine; it is closed with the harmonizer.
    batch_size
        Slices per call of the engine; None takes what suits the device and its free memory.
    outside_domain
        What may be outside the model's card: names in ``DOMAINS``. A call compares nothing but
        ``spacing``; ``harmonize_directory`` compares all.

    Attributes
    ----------
    outside_domain, batch_size
        Names that are accepted, and slices per call of the engine.
    is_automatic
        Whether the batch size was chosen here, and not by the caller.
    fitting_batch_size
        What is really used: ``batch_size``, halved each time the memory did not suffice.

    Examples
    --------
    >>> import numpy as np
    >>> import rgan_sdk as rgan
    >>> with rgan.Harmonizer.load("b40f-to-b70f", device="cpu") as harmonizer:
    ...     hu = harmonizer(np.zeros((3, 500, 510), np.float32), pixel_spacing=0.65)
    >>> hu.shape
    (3, 500, 510)
    """

    def __init__(
        self,
        engine: Engine,
        batch_size: int | None = None,
        outside_domain: Collection[str] = (),
    ) -> None:
        check_type("engine", engine, Engine)
        _check(batch_size)
        self.outside_domain = check_domains(outside_domain)
        self.engine = engine
        self.is_automatic = batch_size is None
        self.batch_size = int(batch_size or engine.default_batch_size)
        self.fitting_batch_size = self.batch_size

    @classmethod
    def load(
        cls,
        model: str | Path | HarmonizationModel,
        *,
        engine: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        batch_size: int | None = None,
        outside_domain: Collection[str] = (),
    ) -> Harmonizer:
        """Open a model file, a packaged model by name, or a model; see ``create_engine``."""
        _check(batch_size)
        accepted = check_domains(outside_domain)
        if not isinstance(model, HarmonizationModel):
            model = HarmonizationModel.open(model)
        opened = create_engine(model, engine, device, precision)
        try:
            return cls(opened, batch_size, accepted)
        except BaseException:
            opened.close()
            raise

    @property
    def config(self) -> HarmonizerConfig:
        """What opens an equal harmonizer, of the same model, engine and batch size, elsewhere."""
        precision = self.engine.precision
        return HarmonizerConfig(
            self.model.source,
            self.engine.name,
            self.engine.device,
            "auto" if precision == self.model.precision else precision,
            self.batch_size,
            self.outside_domain,
            self.model.sha256,
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Harmonizer holds an engine and cannot be pickled; send harmonizer.config to the "
            "other process, and open() it there"
        )

    def with_batch_size(self, batch_size: int) -> Harmonizer:
        """Return a harmonizer with another batch size on the same engine; this one stays."""
        return Harmonizer(self.engine, batch_size, self.outside_domain)

    @property
    def model(self) -> HarmonizationModel:
        """The model that is applied."""
        return self.engine.model

    def __call__(
        self,
        hu: NDArray[np.float32],
        out: NDArray[np.float32] | None = None,
        *,
        pixel_spacing: float | None = None,
    ) -> NDArray[np.float32]:
        """Harmonize one slice or a stack.

        Any thread may call; threads that share an engine wait for each other.

        Parameters
        ----------
        hu
            ``[H, W]`` or ``[N, H, W]``, Hounsfield units; whatever numbers, converted to float32.
        out
            Float32 array of the same shape to write to; its strides don't matter. It may be ``hu``
            itself, but not another view of its memory. None makes a new one.
        pixel_spacing
            Of all slices, in mm: a value of PixelSpacing (0028,0030). Models of format 2 need it.

        Returns
        -------
        ndarray
            ``out``, or the new array. ONNX Runtime on a CPU gives a slice the same bits for any
            batch size and order.

        Raises
        ------
        InferenceError
            If the input is not a finite image, or the engine's output is not one.
        ConfigurationError
            If ``out`` cannot be written to as described. If the model needs the pixel spacing and
            it is absent, or it is outside the model's card and that was not accepted; models of
            format 1 state no pixel spacings, so that for them it always has to be.
        DeviceMemoryError
            If not even one slice fits the device's memory.
        """
        hu = _as_images(hu)
        self._check_spacing(pixel_spacing)
        if out is None:
            out = np.empty(hu.shape, np.float32)
        else:
            _check_out(out, hu)
        # One more axis makes views, also of arrays that are not contiguous.
        stack, written = (hu[np.newaxis], out[np.newaxis]) if hu.ndim == 2 else (hu, out)
        start = 0
        while start < len(stack):
            start += self.harmonize_some(stack[start:], written[start:], pixel_spacing)
        return out

    def harmonize_some(
        self, hu: NDArray[np.float32], out: NDArray[np.float32], pixel_spacing: float | None
    ) -> int:
        """Harmonize the first slices of a stack: as many as go into one call of the engine.

        Parameters
        ----------
        hu, out
            As in a call, but ``[N, H, W]`` float32 and not checked. After an error ``out`` is as it
            was before.
        pixel_spacing
            As in a call, but not compared with the card.

        Returns
        -------
        int
            How many slices those were.
        """
        harmonized = self._infer_fitting(hu, pixel_spacing)
        done = out[: len(harmonized)]
        if not are_same_memory(harmonized, done):
            done[:] = harmonized
        return len(harmonized)

    def _check_spacing(self, pixel_spacing: float | None) -> None:
        """Check a pixel spacing against the card."""
        check_type("pixel_spacing", pixel_spacing, Real, NoneType)
        name, limits = self.model.card.name, self.model.card.pixel_spacing
        is_accepted = "spacing" in self.outside_domain
        if limits is None:
            if not is_accepted:
                raise ConfigurationError(
                    f"{name}: this model is of format 1 and states no pixel spacings; {ACCEPT}, or "
                    "export the model again"
                )
        elif pixel_spacing is None:
            raise ConfigurationError(
                f"{name} needs the pixel spacing in mm: harmonizer(hu, pixel_spacing=0.7)"
            )
        elif pixel_spacing not in limits and not is_accepted:
            raise ConfigurationError(
                f"{name} is made for pixel spacings from {limits.min} to {limits.max} mm, not for "
                f"{pixel_spacing} mm; {ACCEPT}"
            )

    def _infer_fitting(
        self, stack: NDArray[np.float32], pixel_spacing: float | None
    ) -> NDArray[np.float32]:
        """Infer as many slices as fit into memory; for good fewer where those do not."""
        while True:
            size = self.fitting_batch_size  # another thread may change it
            try:
                return self._infer(stack[:size], size, pixel_spacing)
            except DeviceMemoryError:
                if size == 1:
                    raise
                self.fitting_batch_size = min(self.fitting_batch_size, size // 2)

    def _infer(
        self, stack: NDArray[np.float32], size: int, pixel_spacing: float | None
    ) -> NDArray[np.float32]:
        count, height, width = stack.shape
        # Some engines give a slice other bits in a batch of another size: fill the last one up.
        missing = 0 if self.engine.batch_invariant else size - count
        padded = pad_to_multiple(stack, self.model.card.multiple)
        if missing:
            padded = np.pad(padded, ((0, missing), (0, 0), (0, 0)), mode="edge")
        batch = np.ascontiguousarray(padded)[:, np.newaxis]
        return self.engine.infer(batch, pixel_spacing)[:count, 0, :height, :width]

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def check_domains(names: Collection[str]) -> tuple[str, ...]:
    """Return names of what may be outside a model's card.

    Raises
    ------
    ConfigurationError
        If they are no collection, or one is not in ``DOMAINS``.
    """
    check_type("outside_domain", names, tuple, list, set, frozenset)
    if unknown := [name for name in names if name not in DOMAINS]:
        raise ConfigurationError(
            f"outside_domain: no {unknown[0]!r}; valid are {', '.join(DOMAINS)}"
        )
    return tuple(names)


def _check(batch_size: int | None) -> None:
    check_type("batch_size", batch_size, Integral, NoneType)
    if batch_size is not None and batch_size < 1:
        raise ConfigurationError(f"batch size {batch_size} must be at least 1")


def _as_images(hu: object) -> NDArray[np.float32]:
    try:
        images = np.asarray(hu)
    except (TypeError, ValueError) as exc:
        raise InferenceError(f"expected an array of HU, got {type(hu).__name__} ({exc})") from exc
    if images.dtype.kind not in "iuf":
        raise InferenceError(f"expected an array of HU, got {type(hu).__name__} of {images.dtype}")
    if images.ndim not in (2, 3) or 0 in images.shape[-2:]:
        raise InferenceError(f"expected [H, W] or [N, H, W] in HU, got shape {images.shape}")
    return np.asarray(images, np.float32)


def _check_out(out: object, hu: NDArray[np.float32]) -> None:
    check_type("out", out, np.ndarray)
    assert isinstance(out, np.ndarray)
    if out.dtype != np.float32 or out.shape != hu.shape:
        raise ConfigurationError(
            f"out must be float32 {hu.shape} as hu, not {out.dtype} {out.shape}"
        )
    if not out.flags.writeable:
        raise ConfigurationError("out cannot be written to")
    if not are_same_memory(hu, out) and np.shares_memory(hu, out):
        raise ConfigurationError(
            "out shares memory with hu, but is not the same array; pass hu itself or another array"
        )
