"""The command `mi-code`: one module per verb, thin over the library."""
