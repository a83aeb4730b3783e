"""CT scans in NIfTI files: one file is one series. nibabel is imported when it is first needed."""
