"""Learning from features: folds, estimators, calibration, losses, files of models."""
