"""Tables, run records, unfinished runs and models that earlier code has left behind."""
