"""Settings of a processing module: what ``task.json`` in INPUT says, or the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.model import packaged_models
from rgan_sdk.run.options import RunOptions

TASK: Final = "task.json"


@dataclass(frozen=True, kw_only=True)
class ModuleSettings:
    """What a site chooses for a module.

    Attributes
    ----------
    model
        Files or names of packaged models. There is no default: which model is right for a site's
        images is for the site to say.
    target_kernel
        Leaves out models for any other target.
    engine, device
        As for ``Harmonizer.load``; several devices share the work.
    include_target, outside_domain, strict_kernel, assume_hu
        As in ``RunOptions``.
    """

    model: tuple[str, ...]
    target_kernel: str | None = None
    engine: str = "auto"
    device: tuple[str, ...] = ("auto",)
    include_target: bool = False
    outside_domain: tuple[str, ...] = ()
    strict_kernel: bool = False
    assume_hu: bool = False

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Self:
        """Return settings from JSON values, or from texts of the command line.

        Raises
        ------
        ConfigurationError
            If a name is unknown, a value is of another type, or no model is named.
        """
        if unknown := sorted(set(values) - set(KINDS)):
            raise ConfigurationError(
                f"unknown settings: {', '.join(unknown)}; there are {', '.join(KINDS)}"
            )
        parsed: dict[str, Any] = {name: KINDS[name](name, value) for name, value in values.items()}
        if not parsed.get("model"):
            raise ConfigurationError(
                "no model is named: set model to an ONNX file, or to the name of a packaged model "
                f"({', '.join(packaged_models())})"
            )
        return cls(**parsed)

    @property
    def options(self) -> RunOptions:
        """The options of the run."""
        return RunOptions(
            include_target=self.include_target,
            outside_domain=self.outside_domain,
            strict_kernel=self.strict_kernel,
            assume_hu=self.assume_hu,
        )


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"setting {name}: {value!r} is no text")
    return value.strip()


def _texts(name: str, value: object) -> tuple[str, ...]:
    """Return the items of a list, or of a text with commas between them."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ConfigurationError(f"setting {name}: {value!r} is neither a text nor a list of texts")
    return tuple(_text(name, item) for item in items)


def _switch(name: str, value: object) -> bool:
    switch = {"true": True, "false": False}.get(str(value).lower())
    if switch is None:
        raise ConfigurationError(f"setting {name}: {value!r} is neither true nor false")
    return switch


KINDS: Final[Mapping[str, Callable[[str, object], object]]] = {
    "model": _texts,
    "target_kernel": _text,
    "engine": _text,
    "device": _texts,
    "include_target": _switch,
    "outside_domain": _texts,
    "strict_kernel": _switch,
    "assume_hu": _switch,
}
"""The settings, each with what reads its value."""


def read_task(folder: Path) -> dict[str, object]:
    """Return the settings under ``process.settings`` in ``task.json``; none without that file.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or is not of that form. The message holds nothing of it.
    """
    path = folder / TASK
    try:
        task = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{path}: cannot be read as JSON") from exc
    process = _member(path, task, "process")
    return _member(path, process, "settings")


def _member(path: Path, value: dict[str, Any], name: str) -> dict[str, Any]:
    member = value.get(name) or {} if isinstance(value, dict) else None
    if not isinstance(member, dict):
        raise ConfigurationError(f"{path}: {name!r} must be an object; mercure writes it as one")
    return member
