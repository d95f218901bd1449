"""How labels are wrong, and whether rankings stand: on numbers. Executors load numpy alone."""
