"""Tests of whole runs: processes, kills, real corpora, a real Label Studio."""
