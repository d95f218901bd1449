"""Jobs in one line: what flags say, what is guessed, and the configuration that is the same."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.commands.main import main
from sparkclean.config.file import load_config
from sparkclean.errors import ConfigError
from tests.data import noisy_data, write_table


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a table that has probabilities, and one that has none."""
    monkeypatch.chdir(tmp_path)
    write_table(tmp_path / "in", *noisy_data(40, 3))
    texts = {"text": [f"t {i}" for i in range(40)], "stars": np.arange(40) % 5}
    pq.write_table(pa.table({"label": ["a", "b"] * 20, **texts}), tmp_path / "r.parquet")
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    """Give the configuration that a command prints, and see that it is one."""
    assert main([*argv, "--print-config"]) == 0, capsys.readouterr().err
    text = capsys.readouterr().out
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "printed.yaml")
        path.write_text(text)
        return load_config(path, environ={}).model_dump(mode="json")


def error_of(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 2) -> str:
    assert main(list(argv)) == code
    return capsys.readouterr().err


def test_one_line_guesses_the_columns_and_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "in", "--print-config"]) == 0
    shown = capsys.readouterr()
    assert shown.out == (
        "input:\n  table: in\ncolumns:\n  id: id\n  label: label\n  pred_probs: pred_probs\n"
    )
    said = "guessed columns.id: id (named like an id, all values are different in 40 rows)"
    assert said in shown.err
    assert sorted(path.name for path in here.iterdir()) == ["in", "r.parquet"]


@pytest.mark.usefixtures("here")
def test_flags_are_settings(capsys: pytest.CaptureFixture[str]) -> None:
    config = printed(
        capsys,
        *("run", "r.parquet", "--label", "label", "--features", "text,stars"),
        *("--classes", "a,b", "--estimator", "sklearn.naive_bayes.GaussianNB"),
        *("--filter", "both", "--mode", "relabel", "--out", "res/x/", "--format", "parquet"),
        *("--set", "predict.n_folds=3", "--set", "output.cleaned=null"),
    )
    assert config["input"]["table"] == "r.parquet"
    assert config["columns"]["id"] is None
    assert config["columns"]["label"] == "label"
    assert config["predict"]["features"] == ["text", "stars"]
    assert config["predict"]["estimator"] == "sklearn.naive_bayes.GaussianNB"
    assert config["predict"]["n_folds"] == 3
    assert config["classes"] == ["a", "b"]
    assert config["method"]["filter_by"] == "both"
    assert config["clean"]["mode"] == "relabel"
    assert config["output"]["suspects"] == "res/x/suspects"
    assert config["output"]["models"] == "res/x/models"
    assert config["output"]["cleaned"] is None


@pytest.mark.usefixtures("here")
def test_outputs_are_named_after_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "audit", "in")["output"]["suspects"] == "out/in/suspects"


@pytest.mark.usefixtures("here")
def test_all_features_and_names_with_commas_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "run", "r.parquet", "--features", "all")["predict"]["features"] == [
        "all"
    ]
    pq.write_table(pa.table({"a, b": [1.0] * 4, "c": [1, 2] * 2, "label": [0, 1] * 2}), "c.parquet")
    config = printed(capsys, "run", "c.parquet", "--features", '"a, b",c')
    assert config["predict"]["features"] == ["a, b", "c"]


@pytest.mark.usefixtures("here")
def test_predictions_have_the_probabilities(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ("--set", "input.predictions=in", "--pred-probs", "pred_probs")
    columns = printed(capsys, "audit", "r.parquet", *flags)["columns"]
    assert columns == {"id": None, "label": "label", "pred_probs": "pred_probs"}


@pytest.mark.usefixtures("here")
def test_train_has_a_mode_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    config = printed(capsys, "train", "r.parquet", "--features", "text", "--mode", "robust")
    assert config["train"]["mode"] == "robust"
    assert config["clean"]["mode"] == "drop"


@pytest.mark.usefixtures("here")
def test_flags_win_over_a_configuration_and_set_over_flags(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("c.yaml").write_text("input: {table: in}\ncolumns: {label: y}\nclean: {mode: weight}\n")
    monkeypatch.setenv("SPARKCLEAN__COLUMNS__LABEL", "z")
    flags = ("--label", "given", "--mode", "relabel", "--set", "clean.mode=none")
    config = printed(capsys, "audit", "other", "--config", "c.yaml", *flags)
    assert config["input"]["table"] == "other"
    assert config["columns"]["label"] == "given"
    assert config["columns"]["id"] == "id"  # nothing is guessed beside a configuration
    assert config["clean"]["mode"] == "none"


def test_configuration_is_read_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pipe(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    pipe(b"input: {table: somewhere/in}\n")
    assert printed(capsys, "audit", "--config", "-")["input"]["table"] == "somewhere/in"
    pipe(b"a: [")
    assert "error: -: not YAML" in error_of(capsys, "audit", "--config", "-")
    pipe(b"\xff")
    assert "standard input: is not UTF-8 text (byte 0)" in error_of(
        capsys, "audit", "--config", "-"
    )
    pipe(b"#" * ((1 << 22) + 1))
    assert "standard input: is larger than" in error_of(capsys, "audit", "--config", "-")


def test_neither_table_nor_configuration_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "name a table (sparkclean audit data/reviews.parquet" in error_of(capsys, "audit")


@pytest.mark.usefixtures("here")
def test_what_cannot_be_guessed_names_the_flag_and_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert error_of(capsys, "audit", "r.parquet").splitlines() == [
        "error: --pred-probs: the command is not sure; no column has a type that fits. Without "
        "probabilities: sparkclean run r.parquet --features text,stars"
    ]
    assert "Possible columns: --features text,stars" in error_of(capsys, "run", "r.parquet")
    table = {"mood": ["a", "b"] * 20, "pred_probs": [[0.5, 0.5]] * 40}
    pq.write_table(pa.table(table), "m.parquet")
    assert "--label: the command is not sure; give the column of the given label: mood" in error_of(
        capsys, "audit", "m.parquet"
    )
    text = error_of(capsys, "audit", "m.parquet", "--label", "mood")
    assert "Those seen, in alphabetical order: --classes a,b" in text
    printed(capsys, "audit", "m.parquet", "--label", "mood", "--classes", "a,b")


@pytest.mark.usefixtures("here")
def test_what_is_left_out_and_what_is_wrong_is_told_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = ("--set", "predict.n_folds=1", "--set", "gate.max_suspcts=1")
    lines = error_of(capsys, "run", "r.parquet", *wrong).splitlines()
    assert lines[0].startswith("error: --features: name the columns")
    assert [line.split(": ")[1] for line in lines[1:]] == ["gate.max_suspcts", "predict.n_folds"]
    lines = error_of(capsys, "run", "rr.parquet", *wrong, code=3).splitlines()
    assert "rr.parquet does not exist" in lines[0]
    assert len(lines) == 3
    lines = error_of(capsys, "run", "r.parquet", "--set", "a", "--set", "b", "--set", "c.d=[")
    assert [line.split(":")[1] for line in lines.splitlines() if line.startswith("error")] == [
        " --set 'a'",
        " --set 'b'",
        " --set c.d",
    ]


@pytest.mark.usefixtures("here")
def test_a_file_that_is_not_there_is_looked_for_in_no_catalog(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = error_of(capsys, "audit", "rr.parquet", code=3)
    assert "rr.parquet does not exist; did you mean" in text


def test_a_place_beside_the_configuration_alone_is_said(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "c.yaml").write_text(
        "input: {table: ./in, predictions: elsewhere/in}\nclasses: labels.txt\n"
    )
    (here / "labels.txt").write_text("a\nb\nc\n")
    assert load_config("c.yaml", environ={})
    (here / "work").mkdir()
    monkeypatch.chdir(here / "work")
    with pytest.raises(ConfigError) as caught:
        load_config("../c.yaml", environ={})
    assert caught.value.findings == (
        f"input.table: ./in is not in the working directory ({here / 'work'}), to which paths are "
        "relative, but beside the configuration; write ../in",
        f"classes: labels.txt is not in the working directory ({here / 'work'}), to which paths "
        "are relative, but beside the configuration; write ../labels.txt",
    )
    (here / "work" / "in").mkdir()
    (here / "work" / "labels.txt").write_text("a\nb\n")
    assert load_config("../c.yaml", environ={})


@pytest.mark.parametrize(
    "name", ["it's.csv", "a b.tsv", "n.jsonl", "folder/x.csv", "folder/y.json"]
)
def test_text_files_show_the_line_that_converts_them(
    here: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = here / "data" / name
    path.parent.mkdir(parents=True)
    lines = ['{"doc": 1, "text": "a\\nb"}', '{"doc": 2, "text": "c"}']
    if ".js" not in name:
        sign = "\t" if name.endswith("tsv") else ","
        lines = [f"doc{sign}text", f'1{sign}"a\nb"', f"2{sign}c"]
    path.write_text("\n".join(lines) + "\n")
    table = path
    if "folder" in name:
        table = path.parent
        path.with_stem("z").write_text(path.read_text())
    text = error_of(capsys, "audit", str(table), code=3)
    assert "has no types and cannot be pinned. Convert it once, and name" in text
    _, _, command = text.strip().partition(" then: ")
    subprocess.run(command, shell=True, check=True)
    table = pq.read_table(table.with_suffix(".parquet"))
    once = [{"doc": 1, "text": "a\nb"}, {"doc": 2, "text": "c"}]
    assert table.to_pylist() == (once * 2 if "folder" in name else once)
