"""What all series of one output folder have in common, so that a run can be continued."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Self

import rgan_sdk
from rgan_sdk.dicom.domain import find_outside
from rgan_sdk.dicom.series import Series
from rgan_sdk.dicom.write.derivation import Derivation
from rgan_sdk.errors import ConfigurationError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel
from rgan_sdk.run.options import RunOptions
from rgan_sdk.run.places.choices import BY_SERIES, BY_UID

SOFTWARE: Final = f"rgan-sdk {rgan_sdk.__version__}"
MAX_BATCH: Final = 9999
ANY_BATCH: Final = "any"
PLACES: Final = {"layout": BY_SERIES, "names": BY_UID}
"""Options that say where series lie, and their defaults."""


@dataclass(frozen=True)
class Configuration:
    """What changes pixels besides the model: never the number of workers, never a path.

    Attributes
    ----------
    batch
        Slices per inference, or ``any`` where it makes no difference to a slice's bits.
    engine, precision
        As the engine names them.
    """

    batch: int | str
    engine: str
    precision: str

    @classmethod
    def of(cls, harmonizer: Harmonizer) -> Self:
        """Return the configuration that a harmonizer works in."""
        engine = harmonizer.engine
        batch = ANY_BATCH if engine.batch_invariant else harmonizer.batch_size
        return cls(batch, engine.name, engine.precision)

    @classmethod
    def from_json(cls, text: str) -> Self | None:
        """Read what ``to_json`` wrote; None for any other text."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def to_json(self) -> str:
        """Return canonical JSON, which enters the UIDs of all new objects."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class UsedModel:
    """A model by the name on its card and its SHA-256."""

    name: str
    sha256: str

    @classmethod
    def of(cls, model: HarmonizationModel) -> Self:
        """Return what a journal says of a model."""
        return cls(model.card.name, model.sha256)

    def __str__(self) -> str:
        return f"{self.name} (SHA-256 {self.sha256})"


@dataclass(frozen=True)
class RunIdentity:
    """What all series of an output folder must have in common.

    The first line of the journal holds it, and a later one where a resume has changed it.

    Attributes
    ----------
    models
        What the series are harmonized with; none where the run has several, each of which is noted
        in the journal when it is opened.
    configuration
        What else changes pixels or headers, as JSON; see ``Configuration``. Empty without a model.
    software
        Name and version.
    options
        Which series are taken: ``outside_domain``, ``assume_hu``, ``shard``, ``strict_kernel``;
        ``include_target`` holds the kernel of series that are copied. And where they lie:
        ``layout``, ``names``. Absent means as by default.
    """

    models: tuple[UsedModel, ...]
    configuration: str
    software: str
    options: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, harmonizer: Harmonizer, options: RunOptions) -> Self:
        """Return the identity of a run with this harmonizer and these options."""
        configuration = Configuration.of(harmonizer).to_json()
        chosen = _describe_options(options, harmonizer.model.card.target_kernel)
        return cls((UsedModel.of(harmonizer.model),), configuration, SOFTWARE, chosen)

    @classmethod
    def of_several(cls, options: RunOptions, target_kernel: str) -> Self:
        """Return the identity of a run with several models, none of which is open."""
        return cls((), "", SOFTWARE, _describe_options(options, target_kernel))

    def differences(self, earlier: RunIdentity) -> dict[str, str]:
        """Return the names of what differs, each with what it was in the earlier run."""
        mine, theirs = self._as_told_by(earlier)._described(), earlier._described()
        return {name: theirs[name] for name in mine if mine[name] != theirs[name]}

    def _as_told_by(self, earlier: RunIdentity) -> Self:
        """Return this identity as versions told it that compared nothing but the kernel."""
        if "any_kernel" not in earlier.options:
            return self
        others = {name: value for name, value in self.options.items() if name != "outside_domain"}
        any_kernel = "kernel" in self.options.get("outside_domain", ())
        return replace(self, options={"any_kernel": any_kernel, **others})

    def _described(self) -> dict[str, str]:
        return {
            "model": ", ".join(map(str, self.models)),
            "configuration": self.configuration,
            "software": self.software,
            "options": str({k: v for k, v in self.options.items() if k not in PLACES}),
            **{name: self.options.get(name, default) for name, default in PLACES.items()},
        }


def _describe_options(options: RunOptions, target_kernel: str) -> dict[str, Any]:
    """Return which series are taken. What older versions did not know is absent by default."""
    chosen = {
        "outside_domain": sorted(options.outside_domain),
        "assume_hu": options.assume_hu,
        "shard": str(options.shard) if options.shard else None,
    }
    if options.strict_kernel:
        chosen["strict_kernel"] = True
    if options.include_target:
        chosen["include_target"] = target_kernel
    places = {name: getattr(options, name) for name in PLACES}
    return chosen | {name: value for name, value in places.items() if value != PLACES[name]}


def settle_batch_size(
    harmonizers: Sequence[Harmonizer], earlier: RunIdentity | None
) -> tuple[Harmonizer, ...]:
    """Decide the batch size of a run, once and for all its devices.

    If the caller asked for a batch size on any device, nothing changes. Otherwise all devices take
    the batch size of the earlier run on the same folder. In a new run they take the smallest that
    any of them chose.

    Returns
    -------
    tuple of Harmonizer
        On the same engines, with the run's batch size. The caller's harmonizers do not change.
    """
    sizes = [each.batch_size for each in harmonizers]
    if all(each.is_automatic for each in harmonizers):
        batch = _earlier_batch(harmonizers[0], earlier) or min(sizes)
        sizes = [batch] * len(sizes)
    return tuple(each.with_batch_size(size) for each, size in zip(harmonizers, sizes, strict=True))


def check_alike(harmonizers: Sequence[Harmonizer]) -> None:
    """Refuse harmonizers that would not give the same pixels.

    Raises
    ------
    ConfigurationError
        If model, engine, batch size or kind of device differ, or two share an engine.
    """
    kinds = {
        (each.model.sha256, Configuration.of(each), each.batch_size, each.engine.hardware)
        for each in harmonizers
    }
    if len(kinds) > 1:
        raise ConfigurationError(
            "several devices must give the same pixels: the same model, engine and batch size, and "
            "one kind of device"
        )
    if len({id(each.engine) for each in harmonizers}) < len(harmonizers):
        raise ConfigurationError("each device needs a harmonizer of its own")


def make_derivation(harmonizer: Harmonizer, timestamp: datetime, series: Series) -> Derivation:
    """Return how a run harmonizes a series.

    Parameters
    ----------
    timestamp
        When the first run on the output folder began.
    """
    card = harmonizer.model.card
    return Derivation(
        target_kernel=card.target_kernel,
        model_name=card.name,
        model_version=card.version,
        model_sha256=harmonizer.model.sha256,
        configuration=Configuration.of(harmonizer).to_json(),
        engine=harmonizer.engine.name,
        software=SOFTWARE,
        timestamp=timestamp,
        group=series.group,
        outside=tuple(find_outside(series, card)),
    )


def run_timestamp() -> datetime:
    """Return the time to write into new objects; ``SOURCE_DATE_EPOCH`` fixes it.

    Raises
    ------
    ConfigurationError
        If ``SOURCE_DATE_EPOCH`` is not a number of seconds.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        return datetime.fromtimestamp(int(fixed), UTC)
    except (ValueError, OverflowError, OSError) as exc:
        raise ConfigurationError(
            f"SOURCE_DATE_EPOCH={fixed!r} is not a number of seconds since 1970"
        ) from exc


def describe_model(model: HarmonizationModel) -> dict[str, Any]:
    """Return what a report says of a model."""
    return {
        "name": model.card.name,
        "version": model.card.version,
        "sha256": model.sha256,
        "source_kernels": list(model.card.source_kernels),
        "target_kernel": model.card.target_kernel,
    }


def describe_engine(harmonizers: Sequence[Harmonizer]) -> dict[str, Any]:
    """Return what a report says of the engine, and of all devices that it runs on.

    ``workers`` are those on each machine, where they are in processes of their own.
    """
    first = harmonizers[0]
    engine = first.engine
    workers = Counter(each.engine.node for each in harmonizers if each.engine.node)
    devices = [each.engine.device for each in harmonizers]
    return {
        "name": engine.name,
        "version": engine.version,
        "device": ",".join(dict.fromkeys(devices) if workers else devices),
        **({"workers": dict(workers)} if workers else {}),
        "hardware": engine.hardware,
        "precision": engine.precision,
        "deviation_hu": asdict(engine.deviation) if engine.deviation else None,
        "passed_over": list(engine.passed_over),
        "batch_size": first.batch_size,
        "configuration": Configuration.of(first).to_json(),
    }


def describe_smaller_batches(harmonizers: Sequence[Harmonizer]) -> list[str]:
    """Return a warning for each device whose memory did not suffice for the batch size."""
    return [
        f"{each.engine.device}: memory did not suffice for batches of {each.batch_size} slices; "
        f"they were halved to {each.fitting_batch_size}"
        for each in harmonizers
        if each.fitting_batch_size < each.batch_size
    ]


def _earlier_batch(harmonizer: Harmonizer, earlier: RunIdentity | None) -> int | None:
    """Return the batch size to continue with; None unless only the batch size may differ."""
    made = Configuration.from_json(earlier.configuration) if earlier else None
    if made is None or type(made.batch) is not int or not 1 <= made.batch <= MAX_BATCH:
        return None
    now = Configuration.of(harmonizer)
    is_same = (made.engine, made.precision) == (now.engine, now.precision)
    return made.batch if is_same else None
