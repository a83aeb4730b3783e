"""DICOM: find CT series, read slices as HU, write derived objects.

pydicom is imported only in this package.
"""
