"""Slices to Hounsfield units: many at a time, natively or through pydicom."""
