"""Arrays of Hounsfield units in, arrays of Hounsfield units out. Knows no DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rgan_sdk.engines import create_engine
from rgan_sdk.engines.base import Engine
from rgan_sdk.errors import ConfigurationError, DeviceMemoryError, InferenceError
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.slices import pad_to_multiple


class Harmonizer:
    """Pads, batches, infers and crops.

    Parameters
    ----------
    engine
        An opened engine; it is closed with the harmonizer.
    batch_size
        Slices per call of the engine; None takes what suits the device and its free memory.

    Attributes
    ----------
    batch_size
        Slices per call of the engine.
    is_automatic
        Whether the batch size was chosen here, and not by the caller.
    fitting_batch_size
        What is really used: ``batch_size``, halved each time the memory did not suffice.

    Examples
    --------
    >>> import numpy as np
    >>> import rgan_sdk as rgan
    >>> with rgan.Harmonizer.load("b40f-to-b70f", device="cpu") as harmonizer:
    ...     hu = harmonizer(np.zeros((3, 500, 510), np.float32))
    >>> hu.shape
    (3, 500, 510)
    """

    def __init__(self, engine: Engine, batch_size: int | None = None) -> None:
        _check(batch_size)
        self.engine = engine
        self.is_automatic = batch_size is None
        self.batch_size = batch_size or engine.default_batch_size
        self.fitting_batch_size = self.batch_size

    @classmethod
    def load(
        cls,
        model: str | Path,
        *,
        engine: str = "auto",
        device: str = "auto",
        precision: str = "auto",
        batch_size: int | None = None,
    ) -> Harmonizer:
        """Open a model file or a packaged model by name; see ``create_engine``."""
        _check(batch_size)
        opened = create_engine(HarmonizationModel.open(model), engine, device, precision)
        try:
            return cls(opened, batch_size)
        except BaseException:
            opened.close()
            raise

    def with_batch_size(self, batch_size: int) -> Harmonizer:
        """Return a harmonizer with another batch size on the same engine; this one stays."""
        return Harmonizer(self.engine, batch_size)

    @property
    def model(self) -> HarmonizationModel:
        """The model that is applied."""
        return self.engine.model

    def __call__(
        self, hu: NDArray[np.float32], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Harmonize one slice or a stack.

        Parameters
        ----------
        hu
            ``[H, W]`` or ``[N, H, W]``, Hounsfield units; converted to float32.
        out
            Array of the same shape to write to; it may be ``hu`` itself. None makes a new one.

        Returns
        -------
        ndarray
            Same shape, float32. ONNX Runtime on a CPU gives a slice the same bits for any batch
            size and order.

        Raises
        ------
        InferenceError
            If the input is not a finite image, or the engine's output is not one.
        DeviceMemoryError
            If not even one slice fits the device's memory.
        """
        hu = np.asarray(hu, np.float32)
        stack = hu[np.newaxis] if hu.ndim == 2 else hu
        if stack.ndim != 3 or 0 in stack.shape[1:]:
            raise InferenceError(f"expected [H, W] or [N, H, W] in HU, got shape {hu.shape}")
        if out is None:
            out = np.empty(hu.shape, np.float32)
        written = out.reshape(stack.shape)
        start = 0
        while start < len(stack):
            batch = slice(start, start + self.fitting_batch_size)
            try:
                harmonized = self._infer(stack[batch])
            except DeviceMemoryError:
                if self.fitting_batch_size == 1:
                    raise
                self.fitting_batch_size //= 2
                continue
            if not np.may_share_memory(harmonized, written[batch]):  # it is there already
                written[batch] = harmonized
            start = batch.stop
        return out

    def _infer(self, stack: NDArray[np.float32]) -> NDArray[np.float32]:
        count, height, width = stack.shape
        # Some engines give a slice other bits in a batch of another size: fill the last one up.
        missing = 0 if self.engine.batch_invariant else self.fitting_batch_size - count
        padded = pad_to_multiple(stack, self.model.card.multiple)
        if missing:
            padded = np.pad(padded, ((0, missing), (0, 0), (0, 0)), mode="edge")
        batch = np.ascontiguousarray(padded)[:, np.newaxis]
        return self.engine.infer(batch)[:count, 0, :height, :width]

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _check(batch_size: int | None) -> None:
    if batch_size is not None and batch_size < 1:
        raise ConfigurationError(f"batch size {batch_size} must be at least 1")
