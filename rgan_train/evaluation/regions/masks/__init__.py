"""Masks as people have them: NIfTI, NRRD, DICOM SEG, RTSTRUCT."""
