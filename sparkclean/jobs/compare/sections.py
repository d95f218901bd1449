"""The part of the configuration that is of a comparison."""

from __future__ import annotations

from typing import ClassVar

from pydantic import StrictStr

from sparkclean.config.sections import Config, Section, setting


class CompareSection(Section):
    """Which two audits `sparkclean compare` compares."""

    run_a: StrictStr = setting(
        description="Run id of the earlier audit of input.table, in output.runs.", result=True
    )
    run_b: StrictStr = setting(description="Run id of the later audit.", result=True)

    may_be_null: ClassVar[bool] = True
    if_null: ClassVar[str] = (
        "name two audits, for instance compare: {run_a: monday, run_b: tuesday}"
    )

    def findings(self, config: Config) -> list[str]:
        """Find that two audits are one, or that there is no place where they are found."""
        findings = []
        if self.run_a == self.run_b:
            findings.append(
                f"compare.run_b: {self.run_b!r} is also compare.run_a; name two different audits"
            )
        if config.output.runs is None:
            findings.append(
                "output.runs: null, but a comparison finds its audits in the run records; name "
                "those of the audits"
            )
        return findings
