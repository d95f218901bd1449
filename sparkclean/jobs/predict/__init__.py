"""The prediction: probabilities out of sample, by a model a fold."""
