"""Out-of-sample predicted probabilities, and training that tolerates wrong labels."""
