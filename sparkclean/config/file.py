"""Read the configuration: file, environment, overrides, and the template for a new one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparkclean.config.model import Config, parse_config
from sparkclean.errors import ConfigError

_PREFIX = "SPARKCLEAN__"


def load_config(
    path: str | Path | None,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Load and check the configuration.

    Parameters
    ----------
    path : str or Path or None
        YAML or JSON; None: no file.
    overrides : sequence of str
        ``section.key=value`` each; they win over all else.
    environ : mapping, optional
        ``SPARKCLEAN__SECTION__KEY`` wins over the file; the process's environment by default.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        With all findings at once.
    """
    settings = {} if path is None else _read_mapping(Path(path))
    environ = os.environ if environ is None else environ
    for name, value in sorted(environ.items()):
        if name.startswith(_PREFIX):
            parts = name[len(_PREFIX) :].split("__", 1)
            section = parts[0].lower()
            rest = parts[1:] if section == "spark" else [part.lower() for part in parts[1:]]
            _put(settings, [section, *rest], value, name)
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"--set {override!r}: write section.key=value")
        _put(settings, key.strip().split(".", 1), value, f"--set {override}")
    return parse_config(settings)


def _put(settings: dict[str, Any], keys: list[str], value: str, origin: str) -> None:
    # a predicate is SQL, whose quotes and hashes YAML would read in its own way
    parsed = _predicate(value) if keys == ["input", "where"] else _scalar(value, origin)
    if len(keys) == 1:
        settings[keys[0]] = parsed
        return
    section = settings.get(keys[0])
    section = dict(section) if isinstance(section, Mapping) else {}
    section[keys[1]] = parsed
    settings[keys[0]] = section


def _predicate(text: str) -> str | None:
    return None if text.strip() in ("", "null", "~") else text


def _scalar(text: str, origin: str) -> Any:
    try:
        return _yaml_load(text)
    except ConfigError as exc:
        raise ConfigError(f"{origin}: {exc}") from None


def _read_mapping(path: Path) -> dict[str, Any]:
    content = _parse(path, _read_text(path))
    if content is None:
        raise ConfigError(f"{path}: is empty; `sparkclean init TABLE` writes a configuration")
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise ConfigError(f"{path}: holds a value of type {kind}; a mapping of sections is needed")
    return {str(key): value if value is not None else {} for key, value in content.items()} | {
        key: None for key in ("classes", "predict") if key in content and content[key] is None
    }


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors of Windows begin with a mark
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory; name the file in it") from None
    except PermissionError:
        raise ConfigError(f"{path}: may not be read (permissions)") from None
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {exc.start})") from None


def _parse(path: Path, text: str) -> Any:
    try:
        if path.suffix.lower() == ".json":
            return _json_load(text)
        return _yaml_load(text)
    except ConfigError as exc:
        raise ConfigError([f"{path}: {finding}" for finding in exc.findings]) from None


def _json_load(text: str) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError(f"key {key!r} stands twice; keep one")
        return dict(pairs)

    if not text.strip():
        return None
    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as exc:
        raise ConfigError(f"not JSON: {exc.msg}, line {exc.lineno}, column {exc.colno}") from None
    except RecursionError:
        raise ConfigError("not JSON: it is nested too deeply") from None


def _yaml_load(text: str) -> Any:
    import yaml  # noqa: PLC0415 (a JSON configuration works without it)

    class UniqueLoader(yaml.SafeLoader):
        """Refuses a key that stands twice: YAML itself keeps the last one silently."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[Any] = set()
            for key_node, _ in node.value:
                if key_node.tag == "tag:yaml.org,2002:merge":
                    continue
                key = self.construct_object(key_node, deep=True)
                if not isinstance(key, list | dict):
                    if key in seen:
                        line = key_node.start_mark.line + 1
                        raise ConfigError(f"line {line}: key {key!r} stands twice; keep one")
                    seen.add(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, UniqueLoader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"not YAML: {exc.problem or exc.context}{where}") from None
    except yaml.YAMLError as exc:
        raise ConfigError(f"not YAML: {str(exc).splitlines()[0]}") from None
    except ValueError as exc:  # 2026-02-31 looks like a date and is none
        raise ConfigError(f"not YAML: {exc}; quote what is meant as text") from None
    except RecursionError:
        raise ConfigError("not YAML: it is nested too deeply") from None


def read_classes(location: str) -> list[Any]:
    """Read a list of labels from a file.

    Parameters
    ----------
    location : str
        ``.json`` or ``.yaml``: a list; anything else: one label a line.

    Returns
    -------
    list

    Raises
    ------
    ConfigError
    """
    path = Path(location)
    try:
        text = _read_text(path)
        if path.suffix.lower() not in (".json", ".yaml", ".yml"):
            # not splitlines: a label may hold the separators of Unicode
            return text.removesuffix("\n").split("\n") if text else []
        content = _parse(path, text)
    except ConfigError as exc:
        raise ConfigError([f"classes: {finding}" for finding in exc.findings]) from None
    if not isinstance(content, list):
        kind = type(content).__name__
        raise ConfigError(f"classes: {path}: holds a value of type {kind}; a list is needed")
    return content


#: YAML refuses these characters, or takes them for the end of a line.
_UNREADABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

_TEMPLATE = """\
# sparkclean audit --config THIS_FILE

input:
  table: {table}
  format: auto            # auto | parquet | delta | iceberg
  version: null           # 3 (an output of ours, Delta) | timestamp:2026-11-01T00:00:00
                          # | branch:NAME | tag:NAME | snapshot:ID (Iceberg); null: the current one
  where: null             # SQL predicate: audit these rows only
  predictions: null       # a table that `sparkclean predict` has made of this one; null: its own

columns:{columns_comment}
  id: {id}
  label: {label}
  pred_probs: {pred_probs}

# null: integers 0..K-1; or the labels in the order of the probabilities; or a file with that list
classes: {classes}{classes_comment}

scan: auto                # files (fastest) | dataframe | auto: files where these are the table

method:
  # prune_by_noise_rate | prune_by_class | both | confident_learning | predicted_neq_given
  # | low_self_confidence | low_normalized_margin
  filter_by: prune_by_noise_rate
  # self_confidence | normalized_margin | confidence_weighted_entropy
  # | prior_shifted_self_confidence
  ranked_by: self_confidence
  collision: cleanlab-2.9      # or paper: argmax over the confident classes
  frac_noise: 1.0              # share of the estimated noise to flag
  min_examples_per_class: 1    # rows that pruning leaves in a class
  adjust_pred_probs: false     # rank by probabilities less the class thresholds
  thresholds: null             # override, by label or as a list of K

admission:
  row_sum_tolerance: 1.0e-3
  max_rejected_fraction: 0.01  # more invalid rows than this fail the run

predict: null             # conf/predict.yaml shows what it may hold

train:                         # of sparkclean train; conf/train.yaml says more
  mode: cleaned                # cleaned | weights | robust
  audit: null                  # run id of the audit; null: the last published one of this table
  test: null                   # table of examples with trusted labels
  estimator: null              # null: that of predict; in mode robust softmax regression
  params: null                 # of the classifier; null: those of predict

clean:
  mode: drop                   # drop | relabel | weight | quarantine | none
  rejected: keep               # keep | remove
  keep_original: true          # relabel adds the given label and a mark of what was changed
  # copy: a table of its own | clone: shallow clones in a folder (Delta) | branch: inside the input
  # table (Iceberg) | auto: branch where output.cleaned is input.table, else copy
  layout: auto
  publish: tag                 # branch: tag | fast_forward (publish_branch follows the version)
  publish_branch: null
  retain_days: null            # branch: days after which table maintenance drops the tag
  set_table_properties: false  # branch: may set the input table to merge on read

gate:                          # outside of these limits nothing is published; null: no limit
  max_suspect_fraction: null
  max_class_loss_fraction: null
  min_examples_left_per_class: 1
  max_suspects: null

output:                        # null: not written
  suspects: out/suspects
  cleaned: out/cleaned
  rejected: out/rejected
  classes: out/classes
  pairs: out/pairs
  runs: out/runs
  predictions: out/predictions  # of sparkclean predict
  models: out/models
  format: parquet         # parquet | delta | iceberg
  work: null              # folder that driver and executors share; null: beside Parquet outputs

spark: {{}}                      # settings of a session that the command creates
"""


def config_template(
    *,
    table: str,
    id: str | Sequence[str],  # noqa: A002 (the name of the key)
    label: str,
    pred_probs: str | Sequence[str],
    classes: Sequence[Any] | None = None,
    comments: Mapping[str, str] | None = None,
) -> str:
    """Write a commented configuration for a table.

    Parameters
    ----------
    table : str
    id, label, pred_probs
        Columns.
    classes : sequence or None
    comments : mapping
        Remarks on ``columns`` and ``classes``.

    Returns
    -------
    str
        YAML; `load_config` accepts it.
    """

    def flow(value: Any) -> str:
        # JSON is YAML, and quotes whatever needs it
        if value is None:
            return "null"
        text = json.dumps(value if isinstance(value, str) else list(value), ensure_ascii=False)
        return _UNREADABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)

    remarks = {
        key: "  # " + _UNREADABLE.sub("?", re.sub(r"\s", " ", text))
        for key, text in (comments or {}).items()
    }
    return _TEMPLATE.format(
        table=flow(table),
        id=flow(id),
        label=flow(label),
        pred_probs=flow(pred_probs),
        classes=flow(classes),
        columns_comment=remarks.get("columns", ""),
        classes_comment=remarks.get("classes", ""),
    )
