"""What is not collected with the folder."""

from __future__ import annotations

#: They want PyTorch and xgboost, which only `make matrix` installs, and names these files.
collect_ignore = ["test_torch.py", "test_xgboost.py"]
