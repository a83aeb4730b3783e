"""Harmonized Hounsfield units to derived DICOM objects."""
