"""The part of the module that does not know 3D Slicer."""
