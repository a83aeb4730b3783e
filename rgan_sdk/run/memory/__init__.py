"""Harmonize pydicom data sets in memory, with the stages of a run over folders."""
