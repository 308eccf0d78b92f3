"""Tagging files of any size: streaming, in order, restartable, nothing lost."""
