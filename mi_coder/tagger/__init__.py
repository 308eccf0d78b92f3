"""Coding counselor messages: token window, encoder, decision rule, and the `Tagger` that joins them."""
