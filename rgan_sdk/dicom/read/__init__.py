"""Read slices as Hounsfield units, many at a time."""
