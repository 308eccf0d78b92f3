"""How good codes are: figures per code with intervals, beside a simple baseline and the agreement of people."""
