"""How OUTPUT can be laid out. It is also what ``--help`` shows, so nothing heavy is imported."""

from typing import Final

BY_SERIES: Final = "series"
LAYOUTS: Final = (BY_SERIES, "study", "patient")
BY_UID: Final = "uid"
NAMES: Final = (BY_UID, "sorted")
