"""Measures of agreement between harmonized images and their targets."""
