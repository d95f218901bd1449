"""How labels are wrong, on numbers: rates, rankings, kinds of noise."""
