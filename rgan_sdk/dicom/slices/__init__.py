"""The slices of a series, kept so that a million take little room."""
