"""Lung density: the mask of the lungs, its end points, and whether a scan is made for them."""
