"""Every column name and table schema that we read or write: the contract.

Imports nothing of the project. Types are Spark DDL strings, so that neither Spark nor Arrow is
needed to read the contract. The schemas are part of the public interface: a column is added, never
renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

#: Names and Spark types of columns; ``<label>`` is the type of the user's label column.
Columns = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class OutputSpec:
    """One output of a job. Whatever else is known of outputs is derived from these.

    A job lists its outputs in the order of publication: first what readers join on.

    Attributes
    ----------
    name : str
        Key of the configuration's section ``output``.
    description : str
        One sentence, for the configuration.
    columns : tuple of (str, str)
        Name and type of the columns; none where they are those of a table of the user.
    accumulates : bool
        Whether the table holds the rows of all runs; otherwise each version is a dataset.
    keyed : bool
        Whether the record id columns of the input stand before the others.
    location : str or None
        Default location; None for an output that has no key of its own, whose location follows from
        that of another one.
    """

    name: str
    description: str
    columns: Columns = ()
    accumulates: bool = False
    keyed: bool = False
    location: str | None = None


JOB: Final = "job"
RUN_ID: Final = "run_id"
CONFIG_FINGERPRINT: Final = "config_fingerprint"
DATASET_VERSION: Final = "dataset_version"
#: Record id of rows that have none: their position among the rows of the pinned files, from 0.
ROW_NUMBER: Final = "row_number"

GIVEN_LABEL: Final = "given_label"
SUGGESTED_LABEL: Final = "suggested_label"
SELF_CONFIDENCE: Final = "self_confidence"
SUGGESTED_PROBABILITY: Final = "suggested_probability"
LABEL_QUALITY: Final = "label_quality"
RANK: Final = "rank"
REASON: Final = "reason"
REVIEWED: Final = "reviewed"
DETAIL: Final = "detail"

SAMPLE_WEIGHT: Final = "sample_weight"
LABEL_WAS_CHANGED: Final = "label_was_changed"
ORIGINAL_SUFFIX: Final = "_original"

PRED_PROBS: Final = "pred_probs"
FOLD: Final = "fold"

#: Carried by every row of every table that we write, but for the cleaned dataset.
PROVENANCE: Final = (
    (DATASET_VERSION, "string"),
    (CONFIG_FINGERPRINT, "string"),
    (RUN_ID, "string"),
)

#: After the record id columns, which stand first, named and typed as in the input. The type of the
#: two label columns is that of the user's label column.
SUSPECTS: Final = (
    (GIVEN_LABEL, "<label>"),
    (SUGGESTED_LABEL, "<label>"),
    (SELF_CONFIDENCE, "double"),
    (SUGGESTED_PROBABILITY, "double"),
    (LABEL_QUALITY, "double"),
    (RANK, "bigint"),
    (REASON, "string"),
    *PROVENANCE,
    (REVIEWED, "boolean"),
)

#: One row per class.
CLASSES: Final = (
    ("class", "<label>"),
    ("class_index", "int"),
    ("examples", "bigint"),
    ("threshold", "double"),
    ("suspects", "bigint"),
    ("label_issues", "bigint"),
    ("inverse_label_issues", "bigint"),
    ("label_noise", "double"),
    ("inverse_label_noise", "double"),
    ("label_quality_score", "double"),
    *PROVENANCE,
)

#: One row per (given, true) class pair with a count in either joint or a suspect.
PAIRS: Final = (
    (GIVEN_LABEL, "<label>"),
    ("true_label", "<label>"),
    ("confident_joint", "bigint"),
    ("calibrated_joint", "bigint"),
    ("noise_rate", "double"),
    ("suspects", "bigint"),
    *PROVENANCE,
)

#: After the record id columns.
REJECTED: Final = (
    (GIVEN_LABEL, "string"),
    (REASON, "string"),
    (DETAIL, "string"),
    *PROVENANCE,
)

#: After the record id columns and the label, which are named and typed as in the input.
PREDICTIONS: Final = (
    (PRED_PROBS, "array<float>"),
    (FOLD, "int"),
    *PROVENANCE,
)

ANNOTATOR: Final = "annotator"
#: After the record id columns of the annotations.
CONSENSUS: Final = (
    ("consensus_label", "<label>"),
    ("consensus_quality", "double"),
    ("probabilities", "array<struct<label:<label>,probability:double>>"),
    ("annotations", "bigint"),
    ("distinct_labels", "bigint"),
    ("agreement", "double"),
    ("needs_adjudication", "boolean"),
    ("adjudication_reasons", "array<string>"),
    *PROVENANCE,
)

#: One row per annotator; ``<annotator>`` is the type of the user's column.
ANNOTATORS: Final = (
    (ANNOTATOR, "<annotator>"),
    ("items", "bigint"),
    ("agreement", "double"),
    ("quality", "double"),
    ("worst_class", "<label>"),
    ("most_confused_pair", "struct<given:<label>,true:<label>>"),
    ("flags", "array<string>"),
    ("shares_errors_with", "<annotator>"),
    *PROVENANCE,
)

#: One row per annotator, given and consensus label that occur.
CONFUSIONS: Final = (
    (ANNOTATOR, "<annotator>"),
    ("given", "<label>"),
    ("true", "<label>"),
    ("count", "bigint"),
    ("rate", "double"),
    *PROVENANCE,
)

#: One row per statistic and class; the class is null in the row of all classes.
AGREEMENT: Final = (
    ("statistic", "string"),
    ("class", "<label>"),
    ("value", "double"),
    ("lower", "double"),
    ("upper", "double"),
    ("items", "bigint"),
    ("annotations", "bigint"),
    *PROVENANCE,
)

#: Parts of a queue: the random part, suspects, examples decided before, disagreements.
MEASURE: Final = "measure"
GOLD: Final = "gold"
ADJUDICATE: Final = "adjudicate"
QUEUE_PARTS: Final = (MEASURE, "suspects", GOLD, ADJUDICATE)
DECIDED_LABEL: Final = "decided_label"
CONTENT_HASH: Final = "content_hash"

#: After the record id columns; a row for each example and reviewer.
QUEUE: Final = (
    ("queue_item", "bigint"),
    ("reviewer", "string"),
    ("part", "string"),
    ("design", "string"),
    ("stratum", "string"),
    ("rank_decile", "int"),
    ("inclusion_probability", "double"),
    (GIVEN_LABEL, "<label>"),
    (SUGGESTED_LABEL, "<label>"),
    (SELF_CONFIDENCE, "double"),
    (RANK, "bigint"),
    ("gold_label", "<label>"),
    ("votes", "string"),
    ("settled_examples", "string"),
    (CONTENT_HASH, "string"),
    *PROVENANCE,
)

#: The population from which a plan draws; a row for each stratum, given label and rank decile.
STRATA: Final = (
    ("design", "string"),
    ("stratum", "string"),
    ("is_suspect", "boolean"),
    (GIVEN_LABEL, "<label>"),
    ("rank_decile", "int"),
    ("examples", "bigint"),
    ("drawn", "bigint"),
    ("doubt", "double"),
    *PROVENANCE,
)

#: After the record id columns; a row for each decision.
LEDGER: Final = (
    (DECIDED_LABEL, "<label>"),
    ("is_unclear", "boolean"),
    ("reviewer", "string"),
    ("decided_at", "timestamp"),
    ("imported_at", "timestamp"),
    ("queue", "string"),
    ("queue_item", "bigint"),
    ("part", "string"),
    ("inclusion_probability", "double"),
    (GIVEN_LABEL, "<label>"),
    (CONTENT_HASH, "string"),
    ("note", "string"),
    *PROVENANCE,
)

#: Rows of imported files that did not become decisions.
REJECTED_DECISIONS: Final = (
    ("file", "string"),
    ("line", "bigint"),
    ("queue", "string"),
    ("queue_item", "string"),
    ("reviewer", "string"),
    ("decision", "string"),
    (REASON, "string"),
    (DETAIL, "string"),
    *PROVENANCE,
)

#: One row for each number, and class or rank decile where it is of one.
ESTIMATES: Final = (
    ("measure", "string"),
    ("method", "string"),
    ("scope", "string"),
    ("class", "<label>"),
    ("rank_decile", "int"),
    ("value", "double"),
    ("low", "double"),
    ("high", "double"),
    ("examples", "bigint"),
    ("reviewed", "bigint"),
    ("errors", "bigint"),
    ("undecided", "bigint"),
    *PROVENANCE,
)

#: Why a row of an imported file is no decision, in the order in which the reasons are tried.
DECISION_REJECTIONS: Final = (
    "queue_unknown",
    "item_unknown",
    "record_id_differs",
    "reviewer_not_assigned",
    "label_and_unclear",
    "unclear_unreadable",
    "label_not_in_classes",
    "time_unreadable",
    "contradicts_itself",
)

#: One row per content whose rows have different labels.
CONFLICTS: Final = (
    ("content_hash", "string"),
    ("rows", "bigint"),
    ("record_ids", "array<string>"),
    ("labels", "array<struct<label:<label>,rows:bigint>>"),
    ("majority", "<label>"),
    ("suspects", "bigint"),
    (
        "audit",
        "array<struct<record_id:string,given_label:<label>,suggested_label:<label>,"
        "label_quality:double,rank:bigint>>",
    ),
    *PROVENANCE,
)

#: One row per content that stands in several splits or tables.
LEAKS: Final = (
    ("content_hash", "string"),
    ("rows", "bigint"),
    ("places", "array<struct<place:string,rows:bigint>>"),
    ("examples", "array<struct<place:string,record_id:string,given_label:<label>>>"),
    ("labels_differ", "boolean"),
    *PROVENANCE,
)

#: After the record id columns: a row for each suspect of either audit.
CHANGES: Final = (
    ("change", "string"),
    ("given_label_a", "<label>"),
    ("given_label_b", "<label>"),
    ("suggested_label_a", "<label>"),
    ("suggested_label_b", "<label>"),
    ("label_quality_a", "double"),
    ("label_quality_b", "double"),
    ("cause", "string"),
    ("file", "string"),
    *PROVENANCE,
)

#: One row for the whole table, one per class and one per class pair with a suspect.
MOVES: Final = (
    ("subject", "string"),
    (GIVEN_LABEL, "<label>"),
    (SUGGESTED_LABEL, "<label>"),
    ("examples_a", "bigint"),
    ("suspects_a", "bigint"),
    ("examples_b", "bigint"),
    ("suspects_b", "bigint"),
    ("rate_a", "double"),
    ("rate_b", "double"),
    ("difference", "double"),
    ("low", "double"),
    ("high", "double"),
    ("p", "double"),
    ("adjusted_p", "double"),
    ("moved", "boolean"),
    *PROVENANCE,
)

#: Why a row was not audited, in the order in which the reasons are tried.
REJECTION_REASONS: Final = (
    "record_id_null",
    "label_null",
    "label_not_in_classes",
    "pred_probs_null",
    "pred_probs_wrong_length",
    "pred_probs_not_finite",
    "pred_probs_out_of_range",
    "pred_probs_row_sum",
)

#: Which rows are label issues (``filter_by``).
FilterBy: TypeAlias = Literal[
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
]
FILTERS: Final[tuple[str, ...]] = get_args(FilterBy)
#: Filters with quotas, by class or by pair of classes; filters with quotas by pair; filters that
#: take the rows of lowest score.
PRUNING_FILTERS: Final = ("prune_by_class", "prune_by_noise_rate", "both")
PAIR_FILTERS: Final = ("prune_by_noise_rate", "both")
SCORE_FILTERS: Final = ("low_self_confidence", "low_normalized_margin")

#: Why a row is a suspect, by ``filter_by``.
SUSPECT_REASONS: Final[Mapping[str, str]] = {
    "confident_learning": "confident_in_another_class",
    "prune_by_class": "pruned_from_class",
    "prune_by_noise_rate": "pruned_from_pair",
    "both": "pruned_from_class_and_pair",
    "predicted_neq_given": "prediction_differs",
    "low_self_confidence": "low_score",
    "low_normalized_margin": "low_score",
}

#: What each reason means.
REASON_DESCRIPTIONS: Final[Mapping[str, str]] = {
    "confident_in_another_class": "The probability of another class reaches the threshold of that "
    "class.",
    "pruned_from_class": "Among the lowest self-confidences of its given label: as many rows as "
    "`classes.label_issues` estimates.",
    "pruned_from_pair": "Among the largest margins of another class over the given label: as many "
    "rows of the pair as `pairs.calibrated_joint` estimates.",
    "pruned_from_class_and_pair": "Both of these.",
    "prediction_differs": "The most probable class is not the given label.",
    "low_score": "Among the lowest label quality scores: as many rows as all classes are estimated "
    "to have wrong.",
}

#: Label quality scores (``ranked_by``).
Score: TypeAlias = Literal[
    "self_confidence",
    "normalized_margin",
    "confidence_weighted_entropy",
    "prior_shifted_self_confidence",
]
SCORES: Final[tuple[str, ...]] = get_args(Score)
#: Scores that can be computed of probabilities less the class thresholds.
ADJUSTABLE_SCORES: Final = ("self_confidence", "normalized_margin")

CALIBRATIONS: Final = ("none", "temperature", "isotonic")

#: One row per run. Nested content is JSON text, so that the schema outlives changes of ours.
RUNS: Final = (
    (RUN_ID, "string"),
    ("original_run_id", "string"),
    ("status", "string"),  # published | gate_failed | cleaned_conflict | failed | reverted | void
    ("started_at", "timestamp"),
    ("finished_at", "timestamp"),
    ("seconds", "double"),
    (CONFIG_FINGERPRINT, "string"),
    (DATASET_VERSION, "string"),
    ("result_hash", "string"),
    ("rows", "bigint"),
    ("audited", "bigint"),
    ("rejected", "bigint"),
    ("suspects", "bigint"),
    ("classes", "int"),
    ("phases", "string"),
    ("versions", "string"),
    ("config", "string"),
    ("input", "string"),
    ("counts", "string"),
    ("gates", "string"),
    ("outputs", "string"),
    ("message", "string"),
    ("bytes_written", "bigint"),  # by the cleaned versions
    ("remembered", "string"),  # what a later run may expect
    (JOB, "string"),  # audit | predict | train | ... | revert
    ("metrics", "string"),
    ("parents", "string"),  # runs whose outputs were read
)

#: The run records: the output that every job has, published last.
RUN_RECORDS: Final = OutputSpec(
    "runs", "One record per run.", RUNS, accumulates=True, location="out/<table>/runs"
)

#: What a column holds, one line each; where outputs differ, as ``output.column``.
COLUMN_DESCRIPTIONS: Final[Mapping[str, str]] = {
    # of every table that we write
    RUN_ID: "Run that wrote the row, in letters that a path may hold.",
    CONFIG_FINGERPRINT: "Hash of the settings that determine the result.",
    DATASET_VERSION: "Version of the input table that the run read.",
    # suspects
    GIVEN_LABEL: "Label in the input table.",
    SUGGESTED_LABEL: "Most probable other label.",
    SELF_CONFIDENCE: "Predicted probability of the given label.",
    SUGGESTED_PROBABILITY: "Predicted probability of the suggested label.",
    LABEL_QUALITY: "Label quality score of the row (`method.ranked_by`); the lowest is the worst. "
    "`classes.label_quality_score` is that of a class.",
    RANK: "Position by label quality; 1 is the most suspicious row of the run.",
    REASON: "Why the row is a suspect; follows from `method.filter_by`.",
    "suspects.reviewed": "Whether people decided the suggested label; null without a ledger.",
    # classes
    "class": "Label of the class.",
    "class_index": "Position of the class in the probabilities, from 0.",
    "examples": "Audited rows with this given label.",
    "threshold": "Class threshold: mean self-confidence of the rows with this given label.",
    "suspects": "Suspects of the run.",
    "classes.suspects": "Suspects with this given label: rows that the filter selected.",
    "pairs.suspects": "Suspects with this given label and this suggested label.",
    "label_issues": "Estimated number of rows with this given label whose true label is another "
    "(`pairs.calibrated_joint`). No rows are selected for it: `suspects` counts those.",
    "inverse_label_issues": "Estimated rows of this true label that were given another.",
    "label_noise": "P(true label is another | this given label).",
    "inverse_label_noise": "P(given label is another | this true label).",
    "label_quality_score": "P(true label is this one | this given label), of the class as a whole; "
    "`label_quality` of the suspects is that of one row.",
    # pairs
    "true_label": "True label, as confident learning estimates it.",
    "confident_joint": "Rows with this given label that are confidently of the true label.",
    "calibrated_joint": "The confident joint, scaled to the examples of each given label.",
    "noise_rate": "P(given label | true label). Where both are the same class, it is the share of "
    "the true class that kept its label; near 1 is good.",
    # rejected
    "rejected.given_label": "Label in the input table, as text.",
    "rejected.reason": "What is wrong with the row: one of the reasons below.",
    DETAIL: "Of refused probabilities: their number, or their sum and range; else empty.",
    # predictions
    PRED_PROBS: "Predicted probability of each class, in the order of the labels.",
    FOLD: "Fold that held the row out; its model was trained on the other folds.",
    # consensus
    "consensus_label": "Label that the method decided on.",
    "consensus_quality": "Probability that the consensus label is right, as the method sees it.",
    "probabilities": "Classes with their probabilities, the most probable first: all of up to 10 "
    "classes, else the top 5.",
    "consensus.annotations": "Annotators who gave the item a label.",
    "distinct_labels": "Different labels that they gave.",
    "consensus.agreement": "Share of the annotators who gave the consensus label.",
    "needs_adjudication": "Whether a person should look at the item.",
    "adjudication_reasons": "Why: `tie`, `low_quality`, `model_differs`, `single_label`.",
    # annotators
    ANNOTATOR: "Who gave the labels, as in the table of annotations.",
    "annotators.items": "Items that the annotator labelled.",
    "annotators.agreement": "Share of the labels that are the consensus of the other annotators; "
    "null where these have none.",
    "quality": "How good the annotator's labels are, by the method.",
    "worst_class": "Given label that is the consensus least often.",
    "most_confused_pair": "Given label and consensus label of most disagreements.",
    "flags": "What is odd: `one_class`, `disagreement`, `copier`.",
    "shares_errors_with": "Of a copier: the annotator with whom most errors are shared.",
    # confusions
    "given": "Label that the annotator gave.",
    "true": "Consensus label of the item.",
    "count": "Items with this given and this consensus label.",
    "rate": "Share of the annotator's items of this consensus label that were given this label.",
    # agreement
    "statistic": "`krippendorff_alpha` or `fleiss_kappa`.",
    "agreement.class": "Class that is told from all others; null for all classes together.",
    "agreement.value": "The statistic: 1 is full agreement, 0 is that of chance.",
    "lower": "Lower end of its 95 % bootstrap interval.",
    "upper": "Upper end of its 95 % bootstrap interval.",
    "agreement.items": "Items with two labels or more.",
    "agreement.annotations": "Labels of these items.",
    # queue, strata, ledger
    "queue_item": "Number of the example in the queue, from 1.",
    "reviewer": "Who looks at the example.",
    "part": "Part of the queue: `measure`, `suspects`, `gold` or `adjudicate`.",
    "design": "Hash of audit, input version, seed and strata; plans of one design add up.",
    "stratum": "Stratum from which the example was drawn.",
    "rank_decile": "Tenth of the ranks of suspects, 1 the most suspicious; null for others.",
    "inclusion_probability": "Chance to be drawn into the random part; null for other parts.",
    "gold_label": "Part `gold`: the label that was decided before.",
    "votes": "Part `adjudicate`: the labels that reviewers have given.",
    "settled_examples": "Part `adjudicate`: record ids of settled examples of the same labels.",
    "content_hash": "Hash of the columns `review.content`; null if there are none.",
    "is_suspect": "Whether the audit suspects these examples.",
    "strata.examples": "Examples of the population.",
    "drawn": "Examples that plans of this design have drawn so far.",
    "doubt": "Mean of 1 - predicted probability of the given label.",
    "decided_label": "Label that the reviewer decided; null where it is unclear.",
    "is_unclear": "Whether the reviewer could not decide.",
    "decided_at": "Time of the decision; that of the import where the file names none.",
    "imported_at": "Time of the import.",
    "queue": "Run of the plan that asked for the decision.",
    "note": "What the reviewer wrote.",
    "file": "Imported file.",
    "line": "Line of the file, from 1; the first row of Parquet is 1.",
    "rejected_decisions.queue_item": "Number of the example in the queue, as the file has it.",
    "decision": "What the file says was decided.",
    "rejected_decisions.reason": "Why the row is no decision: one of the reasons below.",
    "rejected_decisions.detail": "What was found, and what was expected.",
    "estimates.measure": "What is estimated: `error_rate`, `wrong_labels`, `precision`, `recall`, "
    "`errors_left` or `reviews_to_halve`.",
    "method": "How: `reviewed`, `bounds`, `difference`, `corrected`, or `audit` for the audit's "
    "own estimate.",
    "scope": "Of what: `all`, `suspects`, `others`, `class` or `rank_decile`.",
    "estimates.class": "Given label, where the number is of one.",
    "estimates.value": "The estimate; null where nothing is known.",
    "estimates.low": "Lower limit of the 95 % interval.",
    "estimates.high": "Upper limit of the 95 % interval.",
    "estimates.examples": "Examples that the number is about.",
    "estimates.reviewed": "Examples of the random part that were decided.",
    "errors": "Decided examples whose label is wrong.",
    "undecided": "Drawn examples that are unclear, contradictory or not reviewed.",
    # conflicts and leaks
    "conflicts.content_hash": "Hash of the content; equal contents have equal hashes.",
    "leaks.content_hash": "Hash of the content; equal contents have equal hashes.",
    "conflicts.rows": "Rows with this content.",
    "leaks.rows": "Rows with this content, in all places.",
    "record_ids": "Record ids of the content as text, the first `conflicts.max_ids`; a record id "
    "of several columns is a JSON array.",
    "labels": "Labels of the content and their rows, the most frequent first.",
    "majority": "Label that more of these rows have than any other; null where two lead.",
    "conflicts.suspects": "Rows of the content that the audit suspects; null without "
    "`conflicts.suspects`.",
    "audit": "What the audit says of the listed rows that it suspects; null without "
    "`conflicts.suspects`.",
    "places": "Splits or tables that hold the content, and their rows.",
    "leaks.examples": "The first `conflicts.max_ids` rows of each place, with record id and label.",
    "labels_differ": "Whether these rows have different labels.",
    # changes and moves; a is the earlier audit, b the later one
    "change": "`new`, `fixed`, `open` (a suspect of both), `returned` (new again), or `relabelled` "
    "(no suspect, but another label).",
    "given_label_a": "Label when the earlier audit ran, where it is known.",
    "given_label_b": "Label when the later audit ran; of Parquet tables the current one.",
    "suggested_label_a": "What the earlier audit suggests; null where it does not suspect the row.",
    "suggested_label_b": "What the later audit suggests; null where it does not suspect the row.",
    "label_quality_a": "Label quality score by the earlier audit, of its suspects.",
    "label_quality_b": "Label quality score by the later audit, of its suspects.",
    "cause": "`row_added`, `row_removed`, `label_changed` or `row_unchanged`; null where it is not "
    "known.",
    "changes.file": "File that holds the row, where the format tells it.",
    "subject": "`all`, `class` or `pair`.",
    "moves.given_label": "Label of the class.",
    "moves.suggested_label": "Suggested label of a pair.",
    "examples_a": "Audited rows of the class, by the earlier audit.",
    "suspects_a": "Suspects among them.",
    "examples_b": "Audited rows of the class, by the later audit.",
    "suspects_b": "Suspects among them, by the later audit.",
    "rate_a": "Suspects per example of the earlier audit.",
    "rate_b": "Suspects per example of the later audit.",
    "difference": "Later rate less earlier rate.",
    "moves.low": "Lower end of the 95 % interval of the difference.",
    "moves.high": "Upper end of the 95 % interval of the difference.",
    "p": "p-value of the hypothesis that both rates are one.",
    "adjusted_p": "p-value after Benjamini and Hochberg, over all classes and pairs.",
    "moved": "Whether the adjusted p-value is below 0.05.",
    # cleaned versions
    f"<label>{ORIGINAL_SUFFIX}": "Mode `relabel`: the label in the input table.",
    LABEL_WAS_CHANGED: "Mode `relabel`: whether the label was changed.",
    SAMPLE_WEIGHT: "Mode `weight`: 0 for suspects, the weight of the class for other audited rows, "
    "1 for rows that were not audited.",
    # truth
    "truth.true_label": "Label in the input table.",
    "noisy_label": "Label with the planted noise.",
    "kind": "Kind of noise that changed the label; null where it stays.",
    "source": "Source, annotator or file (`by`) of a changed row; null where the noise has none.",
    # ranking
    "model": "Name of the model.",
    "metric": "`accuracy`, `balanced_accuracy`, `macro_f1` or `log_loss`.",
    "ranking.value": "Metric on the original labels.",
    "low": "Lower end of its 95 % interval.",
    "high": "Upper end of its 95 % interval.",
    "clean": "Metric on the items whose original label is right; null where nothing is known.",
    "clean_low": "Lower end of its 95 % interval.",
    "clean_high": "Upper end of its 95 % interval.",
    "corrected": "Metric on corrected labels; items with a bad label and no corrected one are left "
    "out. Null where no label was corrected.",
    "corrected_low": "Lower end of its 95 % interval.",
    "corrected_high": "Upper end of its 95 % interval.",
    "rank_original": "Rank by `value`; equal values share the best rank.",
    "rank_clean": "Rank by `clean`.",
    "rank_corrected": "Rank by `corrected`.",
    "rank_low": "Best rank that the model may have: 1 + models that are surely better. Null for "
    "metrics without a test of pairs.",
    "rank_high": "Worst rank that the model may have: models less those that are surely worse.",
    # flips
    "model_a": "The better model of the pair on the original labels; of two that are level, the "
    "first by name.",
    "model_b": "The other model.",
    "flips.metric": "`accuracy`, or `log_loss` where the answers are probabilities.",
    "original_a": "Metric of `model_a` on the original labels.",
    "original_b": "Metric of `model_b` on the original labels.",
    "clean_a": "Metric of `model_a` on the items whose original label is right.",
    "clean_b": "Metric of `model_b` on the items whose original label is right.",
    "corrected_a": "Metric of `model_a` on corrected labels.",
    "corrected_b": "Metric of `model_b` on corrected labels.",
    "original_difference": "`original_a` less `original_b`.",
    "original_difference_low": "Lower end of its 95 % interval.",
    "original_difference_high": "Upper end of its 95 % interval.",
    "clean_difference": "`clean_a` less `clean_b`.",
    "clean_difference_low": "Lower end of its 95 % interval.",
    "clean_difference_high": "Upper end of its 95 % interval.",
    "corrected_difference": "`corrected_a` less `corrected_b`.",
    "corrected_difference_low": "Lower end of its 95 % interval.",
    "corrected_difference_high": "Upper end of its 95 % interval.",
    "only_a": "Items that `model_a` alone has right: on clean labels, or on the original ones "
    "where nothing is known. Null for `log_loss`.",
    "only_b": "Items that `model_b` alone has right, on the same labels.",
    "flips": "Whether the order on clean labels is the reverse of that on the original ones.",
    "level_prevalence": "Prevalence of bad labels at which the two models are level; null where "
    "they never cross.",
    "level_set": "95 % set of that prevalence (Fieller): intervals within [0, 1].",
    "mcnemar_p": "p value of the exact McNemar test on the same labels; null for `log_loss`.",
    "holm_p": "p value, adjusted for all pairs by Holm's method.",
    "certain": "Whether the order on clean labels is certain: `holm_p` below 0.05, and people "
    "checked the labels.",
    # diagnosis
    "hypothesis": "Kind of noise: `none`, `uniform`, `class`, `pairs`, `exchange`, `shift`, "
    "`swap`, `source`, `annotator`, `file`, `time`, `value of ...`, `adversarial` or `boundary`.",
    "subject_kind": "What the subject is, such as `source`; null for the whole table.",
    "diagnosis.subject": "Source, annotator, file, beginning of the window, or value; null for all "
    "of them.",
    "diagnosis.given_label": "Given label of the rows; null where it is about several.",
    "predicted_label": "Label that the model predicts for them; null where it is about several.",
    "measure": "What the effect measures, such as a risk ratio or Cramer's V.",
    "diagnosis.statistic": "Count or chi-square behind the effect.",
    "effect": "Effect size.",
    "interval": "95 % interval of the effect, lower and upper end; null for an end that is open.",
    "diagnosis.adjusted_p": "p value, adjusted for all tests of its kind (Benjamini and Hochberg); "
    "null where nothing is tested. Never a verdict by itself.",
    "diagnosis.errors": "Wrong labels that are attributed to the hypothesis, if it holds.",
    "marked": "Whether the effect is large and survives the adjustment.",
    "dominant": "Whether this is the dominant kind of noise; `metrics` of the run record has its "
    "stability.",
    "example_ids": "Record ids of rows that show it, those of which the model is surest first.",
    "suggested_action": "What to do about it.",
    # runs
    "runs.run_id": "Run id, in letters that a path may hold.",
    "original_run_id": "Run id as it was given.",
    JOB: "Job that ran, such as `audit` or `rank-models`, or `revert`.",
    "status": "`published`, `gate_failed`, `cleaned_conflict`, `failed`, `reverted` or `void`.",
    "started_at": "Time at which the run began.",
    "finished_at": "Time at which the record was written.",
    "seconds": "Seconds between the two.",
    "result_hash": "Hash of the result; equal results have equal hashes.",
    "rows": "Rows that were read.",
    "audited": "Rows with a valid label and valid probabilities.",
    "rejected": "Rows that could not be audited.",
    "classes": "Number of classes.",
    "phases": "JSON: phases of the run, with rows and seconds.",
    "versions": "JSON: versions of sparkclean, Spark, Python and packages.",
    "config": "JSON: the configuration, without secrets.",
    "input": "JSON: tables that were read, and their versions.",
    "counts": "JSON: further counts of the job.",
    "gates": "JSON: limits, the values found, and whether they were passed.",
    "outputs": "JSON: outputs that were published, with location and version.",
    "message": "What went wrong, if something did; why a run is void.",
    "bytes_written": "Bytes of data in the cleaned versions.",
    "remembered": "Bounds that a later run of the same configuration may start from.",
    "metrics": "JSON: numbers to monitor, by name.",
    "parents": "JSON: runs (job and run id) whose outputs were read.",
}

#: Columns that a cleaned version may have besides those of the input, by ``clean.mode``.
ADDED_BY_CLEANING: Final[Mapping[str, Columns]] = {
    "relabel": ((f"<label>{ORIGINAL_SUFFIX}", "<label>"), (LABEL_WAS_CHANGED, "boolean")),
    "weight": ((SAMPLE_WEIGHT, "double"),),
}


def describe_column(output: str, column: str) -> str:
    """Say what a column of an output holds.

    Parameters
    ----------
    output, column : str
        Their names.

    Returns
    -------
    str
        One line.

    Raises
    ------
    KeyError
        If nobody has described the column in `COLUMN_DESCRIPTIONS`.
    """
    own = f"{output}.{column}"
    return COLUMN_DESCRIPTIONS[own if own in COLUMN_DESCRIPTIONS else column]
