"""`python -m mi_coder` is `mi-code`."""

from mi_coder.cli.main import entry

entry()
