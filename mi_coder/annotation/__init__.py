"""Coding by people: the Label Studio screen."""
