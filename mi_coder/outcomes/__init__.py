"""Technique use against outcomes: satisfaction, symptoms and experience."""
