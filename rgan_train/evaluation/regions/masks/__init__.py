"""Masks in the formats that people use: NIfTI, NRRD, DICOM SEG, RTSTRUCT, XML of LIDC."""
