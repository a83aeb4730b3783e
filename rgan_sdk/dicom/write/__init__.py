"""Write harmonized Hounsfield units as derived DICOM objects."""
