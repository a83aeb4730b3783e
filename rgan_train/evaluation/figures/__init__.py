"""Figures: window schedules, class activation maps, case studies."""
