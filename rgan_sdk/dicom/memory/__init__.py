"""Series whose slices are pydicom data sets in memory, instead of files."""
