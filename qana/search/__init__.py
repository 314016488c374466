"""Searches for good settings with Optuna: the settings, the study, its results, and pruning inside a run.

Optuna is imported where a search needs it; everything else works without it installed.
"""
