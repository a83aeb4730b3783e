"""The models of a run, of which one is open at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rgan_sdk.errors import ConfigurationError, check_type
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.run.choosing.candidates import Candidate, same_kernel


@dataclass(frozen=True)
class CohortModel:
    """A model whose file was read, and that is opened when the turn of its series comes.

    Threads: it never changes, so any number may share one; each that opens it has engines of its
    own.

    Attributes
    ----------
    name
        What the user calls it.
    open
        Returns a context manager that opens the model on each device, and closes it at the end.
    """

    name: str
    model: HarmonizationModel
    open: Callable[[], AbstractContextManager[Sequence[Harmonizer]]]

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        engine: str = "auto",
        devices: Sequence[str] = ("auto",),
        precision: str = "auto",
        batch_size: int | None = None,
        on_open: Callable[[Harmonizer], None] | None = None,
    ) -> Self:
        """Read a model file or a packaged model.

        Parameters
        ----------
        source, engine, precision, batch_size
            As for ``Harmonizer.load``, which is called for each device.
        devices
            Those that share the work.
        on_open
            Is called with each harmonizer that was opened.

        Raises
        ------
        ModelError
            If the file is no model.
        """
        model = HarmonizationModel.open(source)

        @contextmanager
        def opened() -> Iterator[Sequence[Harmonizer]]:
            with ExitStack() as stack:
                harmonizers = [
                    stack.enter_context(
                        Harmonizer.load(
                            model,
                            engine=engine,
                            device=device,
                            precision=precision,
                            batch_size=batch_size,
                        )
                    )
                    for device in devices
                ]
                if on_open is not None:
                    for each in harmonizers:
                        on_open(each)
                yield harmonizers

        return cls(str(source), model, opened)

    @property
    def candidate(self) -> Candidate:
        """What series are compared with."""
        return Candidate(self.name, self.model.card, self.model.sha256)

    @property
    def target_kernel(self) -> str:
        """The kernel that it imitates."""
        return self.model.card.target_kernel


def choose_models(
    models: Sequence[CohortModel], target_kernel: str | None = None
) -> tuple[CohortModel, ...]:
    """Return the models of a cohort, which has one target kernel; each file once.

    Parameters
    ----------
    target_kernel
        Leave out models for any other target; None takes all, which must agree.

    Raises
    ------
    ConfigurationError
        If there is no model, none for that target, or the models have different ones.
    """
    check_type("models", models, Sequence)
    for index, one in enumerate(models):
        check_type(f"models[{index}]", one, CohortModel)
    if not models:
        raise ConfigurationError("no model is given")
    first_of = {one.model.sha256: one for one in reversed(models)}
    distinct = [one for one in models if first_of[one.model.sha256] is one]
    made = "; ".join(f"{one.name} makes {one.target_kernel}" for one in distinct)
    if target_kernel is None:
        if not all(same_kernel(one.target_kernel, distinct[0].target_kernel) for one in distinct):
            raise ConfigurationError(
                f"one cohort has one target kernel, and these models make several: {made}; choose "
                "it with --target-kernel"
            )
        return tuple(distinct)
    chosen = tuple(one for one in distinct if same_kernel(one.target_kernel, target_kernel))
    if not chosen:
        raise ConfigurationError(f"no model makes the target kernel {target_kernel}: {made}")
    return chosen
