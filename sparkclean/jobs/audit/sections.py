"""The audit's parts of the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import StrictStr

from sparkclean import registry
from sparkclean.config.sections import Config, Section, setting
from sparkclean.config.values import Count, Fraction, Label, Number, Positive, Switch, Tolerance
from sparkclean.errors import InputError
from sparkclean.locations import LAYOUTS, same_place
from sparkclean.schema import ADJUSTABLE_SCORES, PRUNING_FILTERS, RUN_RECORDS, FilterBy, Score


class MethodSection(Section):
    """How label issues are found."""

    filter_by: FilterBy = setting(
        "prune_by_noise_rate", description="Filter: which rows are label issues.", result=True
    )
    ranked_by: Score = setting(
        "self_confidence", description="Label quality score that ranks suspects.", result=True
    )
    collision: Literal["cleanlab-2.9", "paper"] = setting(
        "cleanlab-2.9",
        description="Row that is confident in several classes: take the argmax over all classes "
        "(cleanlab-2.9), or over the confident ones (paper).",
        result=True,
    )
    frac_noise: Fraction = setting(
        1.0, description="Share of the estimated noise to flag.", result=True
    )
    min_examples_per_class: Count = setting(
        1, description="Rows that the prune_* filters leave in each class.", result=True
    )
    adjust_pred_probs: Switch = setting(
        False, description="Rank by probabilities minus the class thresholds.", result=True
    )
    thresholds: dict[Label, Number] | list[Number] | None = setting(
        None, description="Fixed thresholds: by label, or a list of K numbers.", result=True
    )

    def findings(self, config: Config) -> list[str]:
        """Find settings of the method that cannot hold together."""
        findings = []
        if self.adjust_pred_probs and self.ranked_by not in ADJUSTABLE_SCORES:
            findings.append(
                f"method.adjust_pred_probs: true contradicts method.ranked_by: {self.ranked_by!r}; "
                f"adjusted scores are {' and '.join(ADJUSTABLE_SCORES)}"
            )
        if self.frac_noise != 1.0 and self.filter_by not in PRUNING_FILTERS:
            findings.append(
                f"method.frac_noise: {self.frac_noise!r} has no effect with method.filter_by: "
                f"{self.filter_by!r}; use 1.0, or one of {', '.join(PRUNING_FILTERS)}"
            )
        return findings + self._threshold_findings(config.classes)

    def _threshold_findings(self, classes: Sequence[Any] | str | None) -> list[str]:
        thresholds, findings = self.thresholds, []
        if thresholds is None:
            return []
        values = thresholds if isinstance(thresholds, list) else list(thresholds.values())
        outside = [value for value in values if not 0.0 < value <= 2.0]
        if outside:
            findings.append(
                f"method.thresholds: {outside[0]!r} is outside (0, 2]; 2 means that no row is "
                "confident"
            )
        if not isinstance(classes, list):
            return findings
        if isinstance(thresholds, list) and len(classes) != len(thresholds):
            findings.append(
                f"method.thresholds: {len(thresholds)} values for {len(classes)} classes; give one "
                "for each, or a mapping from label to threshold"
            )
        if isinstance(thresholds, dict):
            # a key of a JSON file or of an override is text whatever the labels are
            unknown = [label for label in thresholds if str(label) not in map(str, classes)]
            if unknown:
                findings.append(f"method.thresholds: {unknown[0]!r} is not among the classes")
        return findings


class AdmissionSection(Section):
    """Which rows are audited."""

    row_sum_tolerance: Tolerance = setting(
        1e-3, description="Largest distance of a row's probability sum from 1.", result=True
    )
    max_rejected_fraction: Fraction = setting(
        0.01, description="Largest share of rejected rows; above it the run fails."
    )


class CleanSection(Section):
    """How the cleaned version is made."""

    mode: Literal["drop", "relabel", "weight", "quarantine", "none"] = setting(
        "drop", description="What happens to suspects.", result=True
    )
    rejected: Literal["keep", "remove"] = setting(
        "keep", description="What happens to rejected rows.", result=True
    )
    keep_original: Switch = setting(
        True,
        description="Mode relabel: keep the given label in a column of its own, and mark changed "
        "rows.",
        result=True,
    )
    layout: Literal["auto", "copy", "clone", "branch"] = setting(
        "auto",
        description="copy: a table of its own; clone: a shallow clone (Delta); branch: a branch of "
        "the input table (Iceberg). auto: branch where output.cleaned is input.table, else copy.",
    )
    publish: Literal["tag", "fast_forward"] = setting(
        "tag",
        description="Layout branch: tag only tags the cleaned version; fast_forward also moves "
        "publish_branch to it.",
    )
    publish_branch: StrictStr | None = setting(
        None,
        description="Branch that fast_forward moves. It must be the branch you audited, unchanged "
        "since.",
    )
    retain_days: Positive | None = setting(
        None, description="Layout branch: days after which table maintenance may drop the tag."
    )
    set_table_properties: Switch = setting(
        False,
        description="Layout branch: allow the run to set merge-on-read in the properties of the "
        "input table.",
    )

    def findings(self, config: Config) -> list[str]:
        """Find settings of the cleaned version that cannot hold together."""
        return layout_findings(self, config) + _nothing_to_write(self, config)


class GateSection(Section):
    """Limits: if one is exceeded, nothing is published."""

    max_suspect_fraction: Fraction | None = setting(None, description="Largest share of suspects.")
    max_class_loss_fraction: Fraction | None = setting(
        None, description="Largest share of suspects in any class."
    )
    min_examples_left_per_class: Count = setting(
        1, description="Rows that cleaning must leave in every class (modes drop, quarantine)."
    )
    max_suspects: Count | None = setting(None, description="Largest number of suspects.")
    allow_permuted: Switch = setting(
        False, description="Publish even if the probability columns look permuted."
    )
    allow_weak_model: Switch = setting(
        False,
        description="Publish even if the model predicts labels no better than class shares do.",
    )
    allow_many_suspects: Switch = setting(
        False, description="Publish even if many suspects look like mistakes of the model."
    )


# -- how the cleaned version is kept ---------------------------------------------------------------


def resolve_layout(config: Config) -> str:
    """Say how the cleaned version is kept.

    Parameters
    ----------
    config : Config

    Returns
    -------
    {"copy", "clone", "branch"}
    """
    clean = config.section(CleanSection)
    if clean.layout != "auto":
        return clean.layout
    inside = LAYOUTS.get(config.output.format) == "branch" and _in_place(clean, config)
    return "branch" if inside else "copy"


def _in_place(clean: CleanSection, config: Config) -> bool:
    """Tell whether the cleaned version is wanted inside the input table."""
    cleaned = config.output.location("cleaned")
    if cleaned is None or clean.mode == "none":
        return False
    return same_place(cleaned, config.input.table)


def layout_findings(clean: CleanSection, config: Config) -> list[str]:
    """Find settings of the cleaned version that cannot hold together."""
    layout = resolve_layout(config)
    findings = []
    if layout != "copy" and (
        clean.mode == "weight" or (clean.mode == "relabel" and clean.keep_original)
    ):
        ways = "use layout copy and an output.cleaned of its own"
        if clean.mode == "relabel":
            ways = f"set clean.keep_original: false, or {ways}"
        findings.append(
            f"clean.mode: {clean.mode!r} adds columns to every row, which layout {layout} cannot; "
            f"{ways}"
        )
    if not clean.keep_original and clean.mode != "relabel":
        findings.append(
            f"clean.keep_original: false has no effect with clean.mode: {clean.mode!r}; leave it"
        )
    if (clean.publish == "fast_forward") != (clean.publish_branch is not None):
        findings.append(
            "clean.publish: fast_forward and clean.publish_branch: NAME go together; give both or "
            "none"
        )
    options = [n for n in ("publish_branch", "retain_days") if getattr(clean, n) is not None]
    options += ["set_table_properties"] if clean.set_table_properties else []
    if options and layout != "branch":
        findings.append(
            f"clean.{options[0]}: has no effect with layout {layout}; it is for versions inside an "
            "Iceberg table (layout branch)"
        )
    if (
        layout == "branch"
        and config.output.location("cleaned") is not None
        and not _in_place(clean, config)
    ):
        findings.append(
            "clean.layout: branch keeps versions inside the input table; give output.cleaned the "
            f"name {config.input.table!r}"
        )
    wanted = {name: kind for kind, name in LAYOUTS.items()}.get(layout)
    if wanted is not None and LAYOUTS.get(config.output.format) != layout:
        findings.append(
            f"clean.layout: {layout} needs output.format: {wanted}, not {config.output.format}"
        )
    return findings


def _nothing_to_write(clean: CleanSection, config: Config) -> list[str]:
    # the job imports its sections; of its outputs, those that have a location of their own
    specs = (*registry.load_job("audit").outputs, RUN_RECORDS)
    names = [spec.name for spec in specs if spec.location]
    written = {name for name in names if config.output.location(name) is not None}
    if not written:
        return ["output: all outputs are null; there is nothing to write"]
    if written == {"cleaned"} and clean.mode == "none":
        return [
            "output: all outputs but cleaned are null, and clean.mode is none; there is nothing to "
            "write"
        ]
    return []


def check_layout(config: Config, source_format: str) -> None:
    """Refuse a layout that changes files of another format than the outputs'.

    Parameters
    ----------
    config : Config
    source_format : str
        Of the input table.

    Raises
    ------
    InputError
    """
    layout, wanted = resolve_layout(config), config.output.format
    cleaned = config.output.location("cleaned")
    if layout != "copy" and cleaned is not None and source_format != wanted:
        raise InputError(
            f"clean.layout: {layout} changes the input table's own files, which are "
            f"{source_format}, not {wanted}; use layout copy"
        )
