"""Figures: window schedules, class activation maps and case studies."""
