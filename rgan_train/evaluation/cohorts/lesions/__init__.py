"""Lesions of known size and density, put into slices through the kernel's own MTF."""
