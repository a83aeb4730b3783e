"""Regions in which features are computed: random, boxes, or masks."""
