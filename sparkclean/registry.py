"""The jobs that there are: a line for each, by dotted name. A job is imported when it is asked for.

Who adds a job adds a room below `sparkclean.jobs` and one line here; see docs/dev/add-a-job.md.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from sparkclean.errors import ConfigError


@dataclass(frozen=True)
class JobEntry:
    """One line of registration.

    Attributes
    ----------
    home : str
        ``module:class`` of the job.
    help : str
        What the command does, in a few words.
    example : str
        Options that show how it is called.
    command : str
        The words that are typed, where they are not the name: ``review plan``.
    """

    home: str
    help: str
    example: str
    command: str = ""


#: By the name of the command, in the order in which a pipeline runs them.
JOBS: dict[str, JobEntry] = {
    "audit": JobEntry(
        "sparkclean.jobs.audit.job:AuditJob",
        "audit a table and publish what was found",
        "--config conf/audit.yaml --set gate.max_suspect_fraction=0.1",
    ),
    "predict": JobEntry(
        "sparkclean.jobs.predict.job:PredictJob",
        "predict out-of-sample probabilities for a table and publish them",
        "--config conf/predict.yaml",
    ),
    "train": JobEntry(
        "sparkclean.jobs.train.job:TrainJob",
        "train a final model after an audit, and test it on trusted labels",
        "--config conf/train.yaml",
    ),
    "simulate": JobEntry(
        "sparkclean.jobs.simulate.job:SimulateJob",
        "plant known noise in the labels of a table, and say where",
        "--config conf/simulate.yaml",
    ),
    "diagnose": JobEntry(
        "sparkclean.jobs.diagnose.job:DiagnoseJob",
        "tell which kind of label noise a table has, and where it comes from",
        "--config conf/diagnose.yaml",
    ),
    "rank-models": JobEntry(
        "sparkclean.jobs.rank_models.job:RankModelsJob",
        "rank models, and tell whether bad labels decide the ranking",
        "--config conf/rank-models.yaml",
    ),
    "consensus": JobEntry(
        "sparkclean.jobs.consensus.job:ConsensusJob",
        "find one label for each item, from the labels of several annotators",
        "--config conf/consensus.yaml",
    ),
    "review-plan": JobEntry(
        "sparkclean.jobs.review.job:ReviewPlanJob",
        "draw the examples that people look at",
        "--config conf/review.yaml --set review.budget=200",
        "review plan",
    ),
    "review-export": JobEntry(
        "sparkclean.jobs.review.job:ReviewExportJob",
        "write the files that reviewers fill in",
        "--config conf/review.yaml --to csv",
        "review export",
    ),
    "review-import": JobEntry(
        "sparkclean.jobs.review.job:ReviewImportJob",
        "add what reviewers decided to the ledger",
        "--config conf/review.yaml --file reviewed/ann.csv",
        "review import",
    ),
    "review-estimate": JobEntry(
        "sparkclean.jobs.review.job:ReviewEstimateJob",
        "estimate from the reviews how many labels are wrong",
        "--config conf/review.yaml",
        "review estimate",
    ),
    "review-status": JobEntry(
        "sparkclean.jobs.review.job:ReviewStatusJob",
        "show how far a review has come",
        "--config conf/review.yaml",
        "review status",
    ),
    "conflicts": JobEntry(
        "sparkclean.jobs.conflicts.job:ConflictsJob",
        "find the same example with different labels, and in several splits",
        "data/reviews.parquet --label label --set conflicts.columns=text",
    ),
    "compare": JobEntry(
        "sparkclean.jobs.compare.job:CompareJob",
        "compare two audits of a table: suspects that are new, fixed, open or back",
        "out/examples/runs monday tuesday",
    ),
}


def load_job(name: str) -> Any:
    """Import a job.

    Parameters
    ----------
    name : str
        Of its command.

    Returns
    -------
    type
        A class that follows `sparkclean.runs.job.Job`.

    Raises
    ------
    ConfigError
        If there is no such job.
    """
    if name not in JOBS:
        raise ConfigError(f"there is no job {name!r}; the jobs are {', '.join(JOBS)}")
    module, _, attribute = JOBS[name].home.partition(":")
    return getattr(importlib.import_module(module), attribute)


def load_jobs() -> dict[str, Any]:
    """Import all jobs, by name."""
    return {name: load_job(name) for name in JOBS}


def output_names() -> tuple[str, ...]:
    """Name the outputs of all jobs; the run record, which every job has, is the last."""
    own = [spec.name for job in load_jobs().values() for spec in job.outputs]
    return (*dict.fromkeys(own), "runs")
