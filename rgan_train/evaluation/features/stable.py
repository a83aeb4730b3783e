"""The list of stable features that ``rgan-train evaluate`` writes and ``features`` filters by."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rgan_sdk.errors import ConfigurationError, OutputError
from rgan_sdk.files import atomic_write, decode_text, find_delimiter
from rgan_train.evaluation.metrics.blocks import MANY_PATIENTS

COLUMNS: Final = (
    "method",
    "model_sha256",
    "group",
    "feature",
    "filter",
    "class",
    "ccc",
    "ccc_low",
    "ccc_high",
    "all_groups",
    "random_pixels_ccc",
    "slices",
    "patients",
    "exploratory",
    "extraction",
)
"""Of ``stable_features.csv``, which has a row for each model, group and stable feature."""

HASH_DIGITS: Final = 16
"""First digits of the hash of an extraction that tables show."""


@dataclass(frozen=True)
class StableFeatures:
    """Features that are stable after harmonization with one model.

    Attributes
    ----------
    path
        File that lists them.
    method, model_sha256
        The model.
    groups
        Groups of regions that they are stable in; empty for all groups that were compared.
    names
        Of the features.
    patients
        How many patients the group with the fewest of them had.
    exploratory
        Whether these were too few to speak of other patients.
    extraction
        First digits of the hash of engine, feature set and settings.
    """

    path: Path
    method: str
    model_sha256: str
    groups: tuple[str, ...]
    names: frozenset[str]
    patients: int
    exploratory: bool
    extraction: str

    @property
    def tag(self) -> str:
        """What tells tables apart that were filtered by different features."""
        digest = hashlib.sha256("\n".join(sorted(self.names)).encode()).hexdigest()[:8]
        return f"stable {digest}{' exploratory' if self.exploratory else ''}"

    def require_extraction(self, sha256: str, description: Mapping[str, Any]) -> None:
        """Check that features are extracted as those were that this list was made from.

        Parameters
        ----------
        sha256, description
            Of the extractor.

        Raises
        ------
        ConfigurationError
            If they are not; says what differs, as far as ``results.json`` beside the file tells.
        """
        if sha256[:HASH_DIGITS] == self.extraction:
            return
        here = _facts(description)
        if here["dimensions"] != SINGLE:
            what = f"it is made from {SINGLE}, and these are features in {here['dimensions']}"
            advice = "add --dimensions slice"
        else:
            there = self._description()
            what = "settings, filters or version differ"
            if there:
                what = _compare(_facts(there), here)
            advice = "give the --parameters of that evaluation, or evaluate with those of this one"
        raise ConfigurationError(
            f"{self.path}: is for extraction {self.extraction}, and this is "
            f"{sha256[:HASH_DIGITS]}: {what}; {advice}"
        )

    def _description(self) -> Mapping[str, Any]:
        """Return the extraction as ``results.json`` beside the file describes it, or nothing."""
        try:
            results = json.loads(self.path.with_name("results.json").read_text(encoding="utf-8"))
            found: Mapping[str, Any] = results["provenance"]["features"]
            return found if found["sha256"].startswith(self.extraction) else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


SINGLE: Final = "single slices"


def read_stable(path: Path, groups: Sequence[str] = ()) -> StableFeatures:
    """Read ``stable_features.csv``.

    Parameters
    ----------
    groups
        Groups of regions that features must be stable in; none for all that were compared.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or is no such list, has several models, lacks a group, or no
        feature remains.
    """
    rows = _read_rows(path)
    models = sorted({row["method"] for row in rows})
    if len(models) > 1:
        raise ConfigurationError(
            f"{path}: has the features of {len(models)} models ({', '.join(models)}), and each has "
            "its own; evaluate the one alone that you harmonize with, or keep only its rows"
        )
    extractions = {row["extraction"] for row in rows}
    if len(extractions) > 1:
        raise ConfigurationError(f"{path}: has rows of {len(extractions)} different extractions")
    first = rows[0]
    return StableFeatures(
        path,
        first["method"],
        first["model_sha256"],
        tuple(groups),
        _choose(path, rows, groups),
        min(int(row["patients"]) for row in rows),
        any(_is_exploratory(row) for row in rows),
        first["extraction"],
    )


def write_left_out(path: Path, stable: StableFeatures, names: Sequence[str]) -> None:
    """Write which of the computed features are stable, and how far that can be trusted.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    facts = {
        "stable_features": stable.path.name,
        "sha256": hashlib.sha256(stable.path.read_bytes()).hexdigest(),
        "method": stable.method,
        "model_sha256": stable.model_sha256,
        "groups": list(stable.groups) or "all",
        "patients": stable.patients,
        "exploratory": stable.exploratory,
        "extraction": stable.extraction,
        "kept": [name for name in names if name in stable.names],
        "left_out": [name for name in names if name not in stable.names],
    }
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    except OSError as exc:
        raise OutputError(f"{path}: cannot be written ({exc.strerror})") from exc


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        text = decode_text(path.read_bytes())
        lines = io.StringIO(text, newline="")
        table = csv.DictReader(lines, delimiter=find_delimiter(text, COLUMNS))
        rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ConfigurationError(f"{path}: is no readable CSV file ({exc})") from exc
    needed = ("method", "model_sha256", "group", "feature", "all_groups", *COLUMNS[-3:])
    if absent := [name for name in needed if name not in (table.fieldnames or ())]:
        raise ConfigurationError(
            f"{path}: has no column {absent[0]}; give the stable_features.csv of an evaluation"
        )
    if not rows:
        raise ConfigurationError(f"{path}: lists no stable feature")
    for number, row in enumerate(rows, 1):
        if any(not row.get(name) for name in needed) or not row["patients"].isdecimal():
            raise ConfigurationError(
                f"{path}, row {number}: is not as `rgan-train evaluate` writes stable_features.csv"
            )
    return rows


def _is_exploratory(row: Mapping[str, str]) -> bool:
    return row["exploratory"] != "no" or int(row["patients"]) < MANY_PATIENTS


def _choose(path: Path, rows: Sequence[dict[str, str]], groups: Sequence[str]) -> frozenset[str]:
    if not groups:
        names = frozenset(row["feature"] for row in rows if row["all_groups"] == "yes")
    else:
        there = dict.fromkeys(row["group"] for row in rows)
        if absent := [group for group in groups if group not in there]:
            raise ConfigurationError(
                f"{path}: has no stable feature in the regions {absent[0]!r}; it has some in "
                f"{', '.join(map(repr, there))}"
            )
        stable = [{row["feature"] for row in rows if row["group"] == group} for group in groups]
        names = frozenset.intersection(*map(frozenset, stable))
    if not names:
        raise ConfigurationError(
            f"{path}: no feature is stable in all these groups of regions; choose those that are "
            "like your structures with --stable-regions"
        )
    return names


def _facts(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an extraction depends on, one fact for each setting."""
    settings = dict(description["settings"])
    if "engine" in description:
        dimensions = (
            "two dimensions, plane by plane" if settings.get("force2D") else "three dimensions"
        )
        engine = f"{description['engine']} {description['version']}"
    else:
        dimensions, engine = SINGLE, f"pyradiomics {description['pyradiomics']}"
    return {
        "dimensions": dimensions,
        "engine": engine,
        "filters": description["filters"],
        "features": description["features"],
        **settings,
    }


def _compare(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Return which facts differ, with both values where these are short."""
    different = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return "; ".join(
        f"{name} differ"
        if name in ("filters", "features")
        else f"{name} {there.get(name, 'not set')} there and {here.get(name, 'not set')} here"
        for name in different
    )
