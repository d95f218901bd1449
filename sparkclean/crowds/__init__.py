"""Labels of several annotators for each item, on numbers (numpy; scipy on the driver alone)."""
