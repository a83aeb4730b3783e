"""Read a configuration from TOML, JSON or ``table.key=value``; check each key and type."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from rgan_sdk.errors import ConfigurationError
from rgan_sdk.files import decode_text
from rgan_train.config.methods import MethodName, require
from rgan_train.config.schema import Config


def config_from_json(text: str) -> Config:
    """Return the configuration that ``Config.to_json`` wrote as text.

    Raises
    ------
    ConfigurationError
        If the text is not JSON, or names an unknown key or an invalid value.
    """
    try:
        tables = json.loads(text)
    except ValueError as exc:
        raise ConfigurationError(f"the configuration is not valid JSON ({exc})") from exc
    return config_from_tables(tables)


def recommended_config(method: MethodName | None) -> Config:
    """Return the settings recommended for a method; the paper's settings for None."""
    if method is None:
        return Config()
    return read_toml(Path(__file__).parents[1] / "methods" / f"{method}.toml")


def read_toml(path: Path, start: Config | None = None) -> Config:
    """Read a TOML file.

    Parameters
    ----------
    start
        The configuration to change; None: the defaults.

    Raises
    ------
    ConfigurationError
        If the file is not TOML, or names an unknown key or an invalid value.
    """
    try:
        text = decode_text(path.read_bytes())
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        hint = _explain_line(text, str(exc))
        raise ConfigurationError(f"{path}: cannot be read as TOML ({exc}){hint}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path}: cannot be read as TOML ({exc})") from exc
    try:
        return override(start or Config(), tables)
    except ConfigurationError as exc:
        raise ConfigurationError(f"{path}: {exc}") from exc


def config_from_tables(tables: Any) -> Config:
    """Return the defaults with the values of ``{table: {key: value}}``."""
    return override(Config(), tables)


def override(config: Config, tables: Any) -> Config:
    """Return a copy with the values of ``{table: {key: value}}``.

    Raises
    ------
    ConfigurationError
        If a table or key is unknown, or a value is invalid.
    """
    if not isinstance(tables, dict):
        raise ConfigurationError("a configuration consists of tables such as [training]")
    changes = {}
    for table, values in tables.items():
        section = getattr(config, _check_name(table, Config, "configuration table"))
        if not isinstance(values, dict):
            raise ConfigurationError(f"{table} is a table of the configuration, not a value")
        kinds = get_type_hints(type(section))
        converted = {}
        for key, value in values.items():
            _check_name(key, type(section), f"key in [{table}]")
            converted[key] = _convert(kinds[key], value, f"{table}.{key}")
        changes[table] = dataclasses.replace(section, **converted)
    return dataclasses.replace(config, **changes)


def override_from_text(config: Config, assignments: Sequence[str]) -> Config:
    """Return a copy with ``table.key=value`` assignments applied in order (``--set``).

    Raises
    ------
    ConfigurationError
        If an assignment has another form, the key is unknown, or the value is invalid.
    """
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        table, dot, key = name.strip().partition(".")
        if not (equals and dot):
            raise ConfigurationError(
                f"--set {assignment!r}: write table.key=value, such as training.epochs=10"
            )
        section = getattr(config, _check_name(table, Config, "configuration table"))
        kind = get_type_hints(type(section))[_check_name(key, type(section), f"key in [{table}]")]
        config = override(config, {table: {key: _parse(kind, text.strip())}})
    return config


def differences(first: Config, second: Config) -> list[str]:
    """Return the dotted names of the values in which two configurations differ."""
    return [
        f"{table.name}.{key.name}"
        for table in fields(Config)
        for key in fields(getattr(first, table.name))
        if getattr(getattr(first, table.name), key.name)
        != getattr(getattr(second, table.name), key.name)
    ]


def _explain_line(text: str, error: str) -> str:
    """Return what to do about the line that an error of ``tomllib`` names, where that is known."""
    number = re.search(r"at line (\d+)", error)
    line = text.split("\n")[int(number[1]) - 1] if number else ""
    if number and ";" in line:
        return f": take the semicolon out of line {number[1]}; a line of TOML has one key = value"
    if number and "\\" in line:
        return f": put the text with the backslash in line {number[1]} between single quotes"
    return ""


def _check_name(name: str, owner: type[Any], what: str) -> str:
    """Return the name of a field of a dataclass; refuse others."""
    valid = [item.name for item in fields(owner)]
    if name not in valid:
        raise ConfigurationError(f"unknown {what}: {name!r}; valid are {', '.join(valid)}")
    return name


def _parse(kind: Any, text: str) -> Any:
    """Return a value as TOML would read it; text where the field is text."""
    if kind is str or get_origin(kind) is Literal:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _convert(kind: Any, value: Any, name: str) -> Any:
    """Return a value of TOML or JSON in the type of its field; refuse other types."""
    if get_origin(kind) is Literal:
        require(value in get_args(kind), name, value, " or ".join(get_args(kind)))
        return value
    if get_origin(kind) is tuple:
        require(isinstance(value, list | tuple), name, value, "a list of numbers")
        return tuple(_convert(get_args(kind)[0], item, name) for item in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    require(type(value) is kind, name, value, f"of type {kind.__name__}")
    return value
