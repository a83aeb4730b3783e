"""A list of series to harmonize, which ``scan`` writes and ``run`` takes in place of a folder."""

from rgan_sdk.run.worklist.table import ListedSeries, WorkList

__all__ = ["ListedSeries", "WorkList"]
