"""Regions in which features are computed: random regions, boxes, and masks."""
