"""The models of a run, of which one is open at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from rgan_sdk.errors import ConfigurationError, check_type
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.run.choosing.candidates import Candidate, same_kernel
from rgan_sdk.run.cluster.opening import check_cluster, open_on_cluster
from rgan_sdk.run.cluster.team import Choice


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
    others
        What else the user calls it, where the same file was given several times.
    """

    name: str
    model: HarmonizationModel
    open: Callable[[], AbstractContextManager[Sequence[Harmonizer]]]
    others: tuple[str, ...] = ()

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
        ray: str | None = None,
    ) -> Self:
        """Read a model file or a packaged model.

        Parameters
        ----------
        source, engine, precision, batch_size
            As for ``Harmonizer.load``, which is called for each device.
        devices
            Those that share the work.
        on_open
            Is called with each harmonizer that was opened; with ``ray`` for the first worker only.
        ray
            Have the work done by the workers of a Ray cluster, one for each GPU or for each core.
            ``local`` starts one on this machine while the model is open; ``auto`` or ``HOST:PORT``
            is one that this machine belongs to. A program that is connected already uses that one.
            ``devices`` then holds ``auto``, ``cpu`` or ``cuda`` alone.

        Raises
        ------
        ModelError
            If the file is no model.
        ConfigurationError
            If ``ray`` cannot be used with these devices.
        EngineUnavailableError
            If Ray is not installed.
        """
        model = HarmonizationModel.open(source)
        opening: Callable[[], AbstractContextManager[Sequence[Harmonizer]]]
        if ray is None:
            opening = partial(_open_here, model, engine, devices, precision, batch_size)
        else:
            choice = Choice(engine, check_cluster(ray, devices), precision)
            opening = partial(open_on_cluster, model, ray, choice, batch_size)

        @contextmanager
        def opened() -> Iterator[Sequence[Harmonizer]]:
            with opening() as harmonizers:
                if on_open is not None:
                    for each in harmonizers if ray is None else harmonizers[:1]:
                        on_open(each)
                yield harmonizers

        return cls(str(source), model, opened)

    @property
    def candidate(self) -> Candidate:
        """What series are compared with."""
        return Candidate(self.name, self.model.card, self.model.sha256, self.others)

    @property
    def target_kernel(self) -> str:
        """The kernel that it imitates."""
        return self.model.card.target_kernel


@contextmanager
def _open_here(
    model: HarmonizationModel,
    engine: str,
    devices: Sequence[str],
    precision: str,
    batch_size: int | None,
) -> Iterator[Sequence[Harmonizer]]:
    """Open a model in this process, once for each device."""
    with ExitStack() as stack:
        yield [
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
    distinct = _each_file_once(models)
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


def _each_file_once(models: Sequence[CohortModel]) -> list[CohortModel]:
    """Return the first model of each file, with the names of all."""
    firsts: dict[str, CohortModel] = {}
    for one in models:
        key = one.model.sha256
        first = firsts.get(key)
        names = (*first.others, one.name, *one.others) if first else one.others
        firsts[key] = replace(first or one, others=names)
    return list(firsts.values())
