"""The configuration: files, environment, overrides, files of labels, the template."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkclean.config.classes import read_classes, resolve_classes
from sparkclean.config.file import load_config
from sparkclean.config.model import config_model, parse_config
from sparkclean.config.sections import Config
from sparkclean.config.template import config_template
from sparkclean.errors import ConfigError
from sparkclean.registry import load_job

REPOSITORY = Path(__file__).resolve().parents[2]
MINIMAL = "input: {table: in}\n"

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a file and load it, in an empty environment."""

    def write_and_load(
        text: str | bytes,
        *,
        name: str = "audit.yaml",
        overrides: Sequence[str] = (),
        environ: dict[str, str] | None = None,
    ) -> Config:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, overrides=overrides, environ=environ or {})

    return write_and_load


# -- files ---------------------------------------------------------------------------------------


def test_load_yaml_file_is_read(load: Load) -> None:
    config = load("input:\n  table: in\nclasses: [a, b]\nmethod:\n  frac_noise: 0.5\n")
    assert config.input.table == "in"
    assert config.classes == ["a", "b"]
    assert config.method.frac_noise == 0.5


def test_load_json_file_is_read(load: Load) -> None:
    content = {"input": {"table": "in"}, "method": {"thresholds": {"a": 0.5}}, "classes": None}
    config = load(json.dumps(content), name="audit.json")
    assert config.input.table == "in"
    assert config.method.thresholds == {"a": 0.5}


@pytest.mark.parametrize("name", ["audit.yaml", "audit.yml", "audit.conf", "audit"])
def test_load_any_other_suffix_is_yaml(load: Load, name: str) -> None:
    assert load("input: {table: in}  # comment", name=name).input.table == "in"


def test_load_yaml_number_without_a_dot_is_a_number(load: Load) -> None:
    assert (
        load(MINIMAL + "admission: {row_sum_tolerance: 1e-2}").admission.row_sum_tolerance == 0.01
    )


@pytest.mark.parametrize("name", ["audit.yaml", "audit.json"])
def test_load_byte_order_mark_is_skipped(load: Load, name: str) -> None:
    assert load(b'\xef\xbb\xbf{"input": {"table": "in"}}', name=name).input.table == "in"


def test_load_text_beyond_ascii_is_kept(load: Load) -> None:
    config = load("input: {table: дані}\nclasses: [Käse, 猫, '😀']\n")
    assert config.input.table == "дані"
    assert config.classes == ["Käse", "猫", "😀"]


def test_load_section_null_takes_defaults(load: Load) -> None:
    config = load(MINIMAL + "columns:\nmethod:\noutput: null\nspark:\nclasses:\n")
    assert config == parse_config({"input": {"table": "in"}})


def test_load_yaml_anchors_and_merge_keys_work(load: Load) -> None:
    config = load("input: &here {table: in}\noutput:\n  <<: {pairs: null}\n  runs: o/runs\n")
    assert config.output.pairs is None
    assert config.output.runs == "o/runs"


def test_load_without_a_file_takes_overrides() -> None:
    assert load_config(None, overrides=["input.table=in"], environ={}).input.table == "in"


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", "a.yaml", "is empty; `sparkclean init TABLE` writes a configuration"),
        ("# nothing but a comment", "a.yaml", "is empty"),
        ("", "a.json", "is empty"),
        ("null", "a.json", "is empty"),
        ("- a\n- b", "a.yaml", "of type list; a mapping of sections is needed"),
        ("just words", "a.yaml", "of type str; a mapping of sections is needed"),
        ("[]", "a.json", "of type list; a mapping of sections is needed"),
        ("input: [a", "a.yaml", "not YAML: expected ',' or ']'"),
        ("a: b: c", "a.yaml", "not YAML: mapping values are not allowed here, line 1, column 5"),
        ("input:\n\ttable: x", "a.yaml", "line 2, column 1"),
        ("input: {table: !secret x}", "a.yaml", "not YAML: could not determine a constructor"),
        ("input: {table: 2026-02-31}", "a.yaml", "quote what is meant as text"),
        ("input: {table: *here}", "a.yaml", "not YAML: found undefined alias"),
        ("[" * 3000, "a.yaml", "nested too deeply"),
        ("input: {table: a}\n---\ninput: {table: b}", "a.yaml", "not YAML: but found another"),
        ("input: {table: \0}", "a.yaml", "not YAML: unacceptable character"),
        ('{"input": {"table": "a"},}', "a.json", "not JSON: "),
        ('{"input": {"table": "a"', "a.json", "line 1, column 24"),
        ("input: {table: a}", "a.json", "not JSON: Expecting value, line 1, column 1"),
        (b"input: {table: \xff}", "a.yaml", "is not UTF-8 text (byte 15)"),
    ],
)
def test_load_unreadable_text_names_file_and_place(
    load: Load, tmp_path: Path, text: str | bytes, name: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text, name=name)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: ")
    assert words in message
    assert "\n" not in message


def test_load_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nope\.yaml: no such file$"):
        load_config(tmp_path / "nope.yaml", environ={})


def test_load_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory; name the file in it"):
        load_config(tmp_path, environ={})


def test_load_forbidden_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    # root may read everything
    monkeypatch.setattr("sparkclean.reading.os.open", refuse)
    with pytest.raises(ConfigError, match=r"cannot be read \(permissions\)"):
        load_config(tmp_path / "a.yaml", environ={})


# -- keys that stand twice -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("input: {table: a}\nclean: {}\ninput: {table: b}", "input", 3),
        ("input:\n  table: a\n  table: b\n", "table", 3),
        (MINIMAL + "method:\n  thresholds:\n    a: 0.5\n    b: 0.5\n    a: 0.6\n", "a", 6),
        (MINIMAL + "method: {thresholds: {1: .5, 1: .6}}", "1", 2),
        ("input: {table: a, table: a}", "table", 1),
    ],
)
def test_load_yaml_key_twice_is_refused(load: Load, text: str, key: str, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text)
    shown = key if key.isdigit() else repr(key)
    assert f"line {line}: key {shown} is there twice; keep one" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"input": {"table": "a"}, "input": {"table": "b"}}', "input"),
        ('{"input": {"table": "a", "table": "b"}}', "table"),
        ('{"input": {"table": "a"}, "method": {"thresholds": {"x": 1, "x": 1}}}', "x"),
    ],
)
def test_load_json_key_twice_is_refused(load: Load, text: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"audit.json: key '{key}' is there twice; keep one"):
        load(text, name="audit.json")


def test_load_override_with_a_key_twice_is_refused(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"--set method\.thresholds.*key 'a' is there twice"):
        load(MINIMAL, overrides=["method.thresholds={a: 0.5, a: 0.6}"])


def test_load_same_key_in_two_sections_is_accepted(load: Load) -> None:
    assert load("input: {table: in, format: auto}\noutput: {format: parquet}")


# -- precedence ----------------------------------------------------------------------------------


def test_load_default_then_file_then_environment_then_set(load: Load) -> None:
    environ = {"SPARKCLEAN__METHOD__FRAC_NOISE": "0.3"}
    override = ["method.frac_noise=0.4"]
    in_file = MINIMAL + "method: {frac_noise: 0.2}"
    assert load(MINIMAL).method.frac_noise == 1.0
    assert load(in_file).method.frac_noise == 0.2
    assert load(in_file, environ=environ).method.frac_noise == 0.3
    assert load(in_file, environ=environ, overrides=override).method.frac_noise == 0.4


def test_load_environment_leaves_other_keys_of_the_section(load: Load) -> None:
    text = MINIMAL + "method: {frac_noise: 0.2, collision: paper}"
    config = load(text, environ={"SPARKCLEAN__METHOD__FRAC_NOISE": "0.3"})
    assert config.method.collision == "paper"


def test_load_environment_of_the_process_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(MINIMAL)
    monkeypatch.setenv("SPARKCLEAN__CLEAN__MODE", "weight")
    assert load_config(tmp_path / "a.yaml").clean.mode == "weight"


@pytest.mark.parametrize(
    ("name", "value", "section", "key", "wanted"),
    [
        ("SPARKCLEAN__INPUT__TABLE", "other", "input", "table", "other"),
        ("SPARKCLEAN__METHOD__ADJUST_PRED_PROBS", "true", "method", "adjust_pred_probs", True),
        ("SPARKCLEAN__GATE__MAX_SUSPECTS", "5", "gate", "max_suspects", 5),
        ("SPARKCLEAN__GATE__MAX_SUSPECTS", "null", "gate", "max_suspects", None),
        ("SPARKCLEAN__OUTPUT__PAIRS", "", "output", "pairs", None),
        ("SPARKCLEAN__COLUMNS__ID", "[a, b]", "columns", "id", ["a", "b"]),
        ("SPARKCLEAN__METHOD__THRESHOLDS", "[0.5, 0.5]", "method", "thresholds", [0.5, 0.5]),
        ("SPARKCLEAN__INPUT__WHERE", "a = 'x: #y'", "input", "where", "a = 'x: #y'"),
    ],
)
def test_load_environment_variable_is_read(
    load: Load, name: str, value: str, section: str, key: str, wanted: Any
) -> None:
    config = load(MINIMAL, environ={name: value})
    assert getattr(getattr(config, section), key) == wanted


def test_load_environment_names_a_setting_of_spark_as_it_is_written(load: Load) -> None:
    config = load(MINIMAL, environ={"SPARKCLEAN__SPARK__spark.sql.session.timeZone": "UTC"})
    assert config.spark == {"spark.sql.session.timeZone": "UTC"}


def test_load_environment_sets_classes(load: Load) -> None:
    assert load(MINIMAL, environ={"SPARKCLEAN__CLASSES": "[x, y]"}).classes == ["x", "y"]


@pytest.mark.parametrize("name", ["SPARKCLEAN_FAULT", "SPARKCLEAN", "SPARK_HOME", "sparkclean__x"])
def test_load_other_environment_variables_are_none_of_ours(load: Load, name: str) -> None:
    assert load(MINIMAL, environ={name: "x"}) == load(MINIMAL)


def test_load_unknown_environment_key_is_refused_with_a_suggestion(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"method\.frac_nois: unknown key.*'frac_noise'"):
        load(MINIMAL, environ={"SPARKCLEAN__METHOD__FRAC_NOIS": "0.5"})


@pytest.mark.parametrize(
    ("override", "section", "key", "wanted"),
    [
        ("gate.max_suspect_fraction=0.1", "gate", "max_suspect_fraction", 0.1),
        ("gate.max_suspect_fraction=1e-1", "gate", "max_suspect_fraction", 0.1),
        ("output.cleaned=null", "output", "cleaned", None),
        ("output.cleaned=", "output", "cleaned", None),
        ("columns.pred_probs=[p, q]", "columns", "pred_probs", ["p", "q"]),
        ("method.thresholds={a: 0.5}", "method", "thresholds", {"a": 0.5}),
        ("input.table=a=b", "input", "table", "a=b"),
        (" input.table =x", "input", "table", "x"),
    ],
)
def test_load_override_is_read(
    load: Load, override: str, section: str, key: str, wanted: Any
) -> None:
    config = load(MINIMAL, overrides=[override])
    assert getattr(getattr(config, section), key) == wanted


@pytest.mark.parametrize(
    "predicate",
    ["id < 200", "'train' = split", "`my col` > 1", "a = 'b: c'", "a = 'x' # b", "[a", 'a = "b"'],
)
def test_load_override_of_the_predicate_is_taken_as_it_stands(load: Load, predicate: str) -> None:
    assert load(MINIMAL, overrides=[f"input.where={predicate}"]).input.where == predicate


@pytest.mark.parametrize("value", ["", "null", " null "])
def test_load_override_takes_the_predicate_away(load: Load, value: str) -> None:
    config = load("input: {table: in, where: a}", overrides=[f"input.where={value}"])
    assert config.input.where is None


def test_load_override_of_a_setting_of_spark_keeps_its_dots(load: Load) -> None:
    config = load(MINIMAL, overrides=["spark.spark.sql.shuffle.partitions=7"])
    assert config.spark == {"spark.sql.shuffle.partitions": "7"}


def test_load_last_override_wins(load: Load) -> None:
    assert load(MINIMAL, overrides=["clean.mode=none", "clean.mode=weight"]).clean.mode == "weight"


@pytest.mark.parametrize("override", ["clean.mode", "", "=x", " =x"])
def test_load_override_without_key_or_value_is_refused(load: Load, override: str) -> None:
    with pytest.raises(ConfigError, match=r"--set .*: write section\.key=value"):
        load(MINIMAL, overrides=[override])


def test_load_override_that_is_no_yaml_names_itself(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"^--set columns\.id: not YAML: "):
        load(MINIMAL, overrides=["columns.id=[a"])


def test_load_environment_that_is_no_yaml_names_itself(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"^SPARKCLEAN__COLUMNS__ID: not YAML: "):
        load(MINIMAL, environ={"SPARKCLEAN__COLUMNS__ID": "[a"})


def test_load_override_of_a_whole_section_must_be_a_section(load: Load) -> None:
    with pytest.raises(ConfigError, match="method: 1 is not a section"):
        load(MINIMAL, overrides=["method=1"])


def test_load_override_may_correct_the_file(load: Load) -> None:
    assert load("input: {table: 5}", overrides=["input.table=in"]).input.table == "in"


def test_load_findings_of_file_and_overrides_come_at_once(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            MINIMAL + "clean: {mode: x}",
            environ={"SPARKCLEAN__GATE__MAX_SUSPECTS": "-1"},
            overrides=["method.frac_noise=7"],
        )
    assert len(caught.value.findings) == 3


# -- files of labels -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("l.txt", "cat\ndog\n", ["cat", "dog"]),
        ("l.txt", "cat\r\ndog", ["cat", "dog"]),
        ("l.labels", "1\n2\n", ["1", "2"]),
        ("l.txt", "a,b\n\"c\"\n d \n", ["a,b", '"c"', " d "]),
        ("l.txt", "a\u2028b\nc\x0bd\n", ["a\u2028b", "c\x0bd"]),
        ("l.txt", "\ufeffcat\ndog\n", ["cat", "dog"]),
        ("l.txt", "", []),
        ("l.yaml", "- cat\n- dog\n", ["cat", "dog"]),
        ("l.yml", "[0, 1, 2]", [0, 1, 2]),
        ("l.json", '["cat", "a\\nb"]', ["cat", "a\nb"]),
        ("l.JSON", "[false, true]", [False, True]),
    ],
)  # fmt: skip
def test_read_classes_file_is_read(tmp_path: Path, name: str, text: str, labels: list[Any]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert read_classes(str(tmp_path / name)) == labels


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("l.json", '{"a": 1}', "of type dict; a list is needed"),
        ("l.yaml", "cat", "of type str; a list is needed"),
        ("l.json", "[1,", "not JSON"),
        ("l.yaml", "[1,", "not YAML"),
    ],
)
def test_read_classes_file_of_something_else_is_refused(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match="^classes: .*" + name) as caught:
        read_classes(str(tmp_path / name))
    assert words in str(caught.value)


@pytest.mark.parametrize("location", ["nowhere.txt", "nowhere.yaml", ""])
def test_read_classes_file_that_is_not_there_is_refused(location: str) -> None:
    with pytest.raises(ConfigError, match=r"^classes: "):
        read_classes(location)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[only]", "K = 1"),
        ("[]", "K = 0"),
        ("[a, b, a]", "number 1 stands in the list more than once, as number 3"),
        ("[a, 1]", "types int, str"),
        ("[1.5, 2.5]", "types float"),
        ("[[a], [b]]", "types list"),
        ("[a, null]", "types NoneType, str"),
    ],
)
def test_resolve_classes_file_with_a_bad_list_is_refused(
    load: Load, tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "l.yaml").write_text(text)
    config = load(MINIMAL + f"classes: {tmp_path / 'l.yaml'}")
    with pytest.raises(ConfigError, match=r"^classes: ") as caught:
        resolve_classes(config)
    assert words in str(caught.value)


def test_resolve_classes_is_the_same_in_every_format(load: Load, tmp_path: Path) -> None:
    files = {"l.txt": "b\na\n", "l.yaml": "[b, a]", "l.json": '["b", "a"]'}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    writings = ["[b, a]", *(str(tmp_path / name) for name in files)]
    configs = [load(MINIMAL + f"classes: {writing}") for writing in writings]
    assert {resolve_classes(config) for config in configs} == {("b", "a")}


# -- template and configurations to edit ---------------------------------------------------------


def template(**changes: Any) -> str:
    options = {"table": "in", "id": "id", "label": "label", "pred_probs": "pred_probs"}
    return config_template(**{**options, **changes})


def test_template_states_exactly_the_defaults(load: Load) -> None:
    written = yaml.safe_load(template())
    assert load(template()) == parse_config({"input": {"table": "in"}})
    assert written == parse_config({"input": {"table": "in"}}).model_dump(mode="json")


@pytest.mark.parametrize(
    "text",
    [
        "plain", "with space", "a: b", "# no comment", "{braces}", "'single'", '"double"', "yes",
        "007", "1e3", "null", "", "back\\slash", "new\nline", "tab\tbed", "Käse 猫", "😀",
        "del\x7f", "nel\x85", "line\u2028separator", "mark\ufeff", "nul\x00", "%percent", "@at",
        "`", "*star", "&and", "- dash", "? question", "~",
    ],
)  # fmt: skip
def test_template_keeps_any_text(load: Load, text: str) -> None:
    config = load(template(id=["x", f"i{text}"], label=f"l{text}", pred_probs=["y", f"p{text}"]))
    assert config.columns.id == ["x", f"i{text}"]
    assert config.columns.label == f"l{text}"
    assert config.columns.pred_probs == ["y", f"p{text}"]
    labels = ["a", "b", text]
    assert resolve_classes(load(template(classes=labels))) == tuple(labels)


def test_template_keeps_labels_of_other_types(load: Load) -> None:
    assert load(template(classes=[3, 1, 2])).classes == [3, 1, 2]
    assert load(template(classes=[True, False])).classes == [True, False]


def test_template_remarks_are_comments(load: Load) -> None:
    remarks = {"columns": "look\nhere: {x}\u2028y", "classes": "CHECK: all # of them"}
    text = template(comments=remarks)
    assert load(text) == load(template())
    assert "columns:  # look here: {x}" in text
    assert "  # CHECK: all # of them" in text


def test_template_explains_every_choice() -> None:
    text = template()
    for section in ("method", "clean"):
        for field in config_model().model_fields[section].annotation.model_fields.values():
            for choice in getattr(field.annotation, "__args__", ()):
                if isinstance(choice, str):
                    assert choice in text


@pytest.mark.parametrize("path", sorted((REPOSITORY / "conf").glob("*.yaml")), ids=lambda p: p.name)
def test_conf_file_loads(path: Path) -> None:
    assert load_config(path, environ={}).input.table


def test_conf_audit_is_the_template() -> None:
    assert (REPOSITORY / "conf" / "audit.yaml").read_text() == template(table="data/examples")


def test_conf_demo_puts_all_into_one_place() -> None:
    config = load_config(REPOSITORY / "conf" / "demo.yaml", environ={})
    output = config.output
    jobs = (load_job("predict"), load_job("audit"))
    names = [spec.name for job in jobs for spec in job.outputs if spec.name != "quarantine"]
    written = [output.location(name) for name in (*names, "models", "runs")]
    places = [config.input.table, *written]
    assert len(places) == 9
    assert all(place.startswith("out/demo/") for place in places)
