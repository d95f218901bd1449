"""What is not collected with the folder."""

from __future__ import annotations

#: Wants PyTorch, which only `make matrix` installs, and names this file.
collect_ignore = ["test_torch.py"]
