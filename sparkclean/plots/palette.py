"""The colours of charts. A page replaces each by a variable, which differs in the dark."""

from __future__ import annotations

INK, MUTED, GRID, PAPER = "#1f2328", "#59636e", "#d5dbe1", "#ffffff"
#: What is as it should be, and what is not: told apart also by who sees no red or green.
ACCENT, WARM = "#2563c9", "#d4570b"

#: Name of the variable of each.
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--line",
    PAPER: "--paper",
    ACCENT: "--accent",
    WARM: "--warm",
}
