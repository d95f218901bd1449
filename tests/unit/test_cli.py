"""The command line without Spark: usage, exit codes, errors, versions, clean-up, init."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean import __version__, errors, lake
from sparkclean.commands import jobs
from sparkclean.commands import main as cli
from sparkclean.commands.main import main
from sparkclean.commands.terminal import table_as_text
from sparkclean.config.classes import resolve_classes
from sparkclean.config.file import load_config
from sparkclean.config.model import config_json_schema
from sparkclean.lake import ParquetTarget
from sparkclean.rows.interrupts import Terminated
from tests.data import noisy_data, write_table
from tests.lake.helpers import new_target, publish

REPOSITORY = Path(__file__).resolve().parents[2]
COMMANDS = (
    "audit",
    "predict",
    "run",
    "train",
    "init",
    "versions",
    "show",
    "card",
    "report",
    "revert",
    "clean-up",
    "schema",
)


@pytest.fixture
def target(tmp_path: Path) -> ParquetTarget:
    """Two versions of a dataset: two rows, then three."""
    target = new_target(tmp_path)
    publish(target, "first", accumulate=False)
    publish(target, "second", accumulate=False, parent=1, rows=3)
    return target


def child(code: str, *arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def usage_error(argv: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("usage: sparkclean")
    return shown.err.splitlines()[-1]


# -- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_shows_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert f"example:\n  sparkclean {command}" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_example_is_a_command_that_we_understand(command: str) -> None:
    words = shlex.split(cli._example(command).split(">")[0])
    assert words[:2] == ["sparkclean", command]
    assert cli._parser().parse_args(words[1:]).command


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert [command for command in COMMANDS if f"\n    {command} " not in text] == []


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"sparkclean {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "required: COMMAND"),
        (["audt"], "invalid choice: 'audt'"),
        (["audit", "--config"], "expected one argument"),
        (["audit", "--config", "a", "--nope"], "unrecognized arguments: --nope"),
        (["audit", "--config", "a", "--log-format", "xml"], "invalid choice: 'xml'"),
        (["audit", "--conf", "spark.a=b"], "unrecognized arguments: --conf"),
        (["init"], "required: table"),
        (["versions"], "required: target"),
        (["show"], "required: target"),
        (["show", "x", "-n", "many"], "'many' is not a number of rows"),
        (["show", "x", "-n", "0"], "'0' is not a number of rows; write 1 or more"),
        (["show", "x", "-n", "-3"], "'-3' is not a number of rows"),
        (["revert", "x"], "required: --to"),
        (["check-version"], "required: target"),
        (["clean-up", "x", "--older-than", "30"], "'30' is not an age; write 12h or 30d"),
        (["clean-up", "x", "--older-than", "xd"], "is not an age"),
        (["clean-up", "x", "--older-than", ""], "is not an age"),
        (["clean-up", "x", "--keep", "some"], "invalid int value: 'some'"),
        (["schema", "extra"], "unrecognized arguments: extra"),
    ],
    ids=" ".join,
)
def test_usage_wrong_exits_2(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in usage_error(argv, capsys)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("12h", 43200), ("1.5d", 129600), ("0s", 0)]
)
def test_age_is_read_in_its_unit(text: str, seconds: float) -> None:
    arguments = cli._parser().parse_args(["clean-up", "x", "--older-than", text])
    assert arguments.older_than == seconds


def test_schema_prints_the_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == config_json_schema()
    assert shown.err == ""


def test_module_is_the_command() -> None:
    done = child("import runpy; runpy.run_module('sparkclean', run_name='__main__')", "--version")
    assert (done.returncode, done.stdout) == (0, f"sparkclean {__version__}\n")


@pytest.mark.parametrize("name", ["audit", "predict", "run", "train", "rank_models", "simulate"])
def test_script_in_jobs_is_the_command_from_any_folder(tmp_path: Path, name: str) -> None:
    script = REPOSITORY / "jobs" / f"{name}.py"
    assert len(script.read_text().splitlines()) < 15
    done = subprocess.run(
        [sys.executable, str(script), "--config=nowhere.yaml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: nowhere.yaml: no such file\n"


def test_script_in_jobs_finds_a_checkout_that_is_not_installed(tmp_path: Path) -> None:
    # -S: without the packages of the environment, ours among them
    command = [sys.executable, "-S", str(REPOSITORY / "jobs" / "audit.py"), "--config=x"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the driver lacks pydantic and PyYAML")


# -- errors --------------------------------------------------------------------------------------

CODES = {
    errors.SparkCleanError: 1,
    errors.ConfigError: 2,
    errors.UnsupportedFeatureError: 2,
    errors.InputError: 3,
    errors.InputChangedError: 3,
    errors.AuditGateError: 4,
    errors.PublishConflictError: 5,
    errors.VersionExistsError: 5,
    errors.CommitStateUnknownError: 6,
}


def all_errors(base: type = errors.SparkCleanError) -> Iterator[type]:
    yield base
    for kind in base.__subclasses__():
        yield from all_errors(kind)


def fail_with(exc: BaseException) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise exc

    return fail


def test_errors_all_have_an_exit_code_here() -> None:
    ours = {kind for kind in all_errors() if kind.__module__ == "sparkclean.errors"}
    assert ours == set(CODES)


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_error_exits_with_its_code_and_no_traceback(
    kind: type[errors.SparkCleanError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lake, "open_target", fail_with(kind("what happened")))
    assert main(["versions", "/x"]) == CODES[kind]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error: what happened\n"


@pytest.mark.parametrize("kind", [errors.ConfigError, errors.InputError])
def test_error_with_several_findings_prints_a_line_each(
    kind: type[errors.ConfigError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lake, "open_target", fail_with(kind(["one", "two"])))
    main(["versions", "/x"])
    assert capsys.readouterr().err == "error: one\nerror: two\n"


def test_error_with_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lake, "open_target", fail_with(errors.InputError("what happened")))
    assert main(["versions", "/x", "--debug"]) == 3
    text = capsys.readouterr().err
    assert "Traceback (most recent call last)" in text
    assert text.endswith("error: what happened\n")


def test_error_that_nobody_expected_exits_1_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lake, "open_target", fail_with(ValueError("\n  first\nsecond")))
    assert main(["versions", "/x"]) == 1
    assert capsys.readouterr().err == "error: ValueError: first second (--debug shows more)\n"


def test_error_that_nobody_expected_shows_its_traceback_with_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lake, "open_target", fail_with(ValueError("x")))
    assert main(["versions", "/x", "--debug"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("exc", "code", "word"),
    [(KeyboardInterrupt(), 130, "interrupted"), (Terminated(), 143, "terminated")],
    ids=["interrupt", "terminate"],
)
def test_interrupt_exits_with_the_code_of_its_signal(
    exc: BaseException,
    code: int,
    word: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lake, "open_target", fail_with(exc))
    assert main(["versions", "/x"]) == code
    text = capsys.readouterr().err
    assert text == f"error: {word}\n"
    assert "Traceback" not in text


@pytest.mark.parametrize("error", [AttributeError("x"), errors.InputError("y")])
def test_interrupt_whose_tidying_up_fails_is_an_interrupt(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise error

    monkeypatch.setattr(lake, "open_target", interrupted)
    assert main(["versions", "/x"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_interrupted_job_says_by_which_run_id_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sparkclean.commands.main.open_jobs", fail_with(KeyboardInterrupt()))
    config = tmp_path / "audit.yaml"
    config.write_text("input: {table: x}")
    assert main(["audit", "--config", str(config), "--run-id", "night 1"]) == 130
    said = "error: interrupted; nothing of this run counts until it is repeated with --run-id"
    assert capsys.readouterr().err == f"{said} 'night 1'\n"


def test_misspelt_flag_is_answered_by_the_command_that_knows_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["audit", "in", "--lable", "y"])
    assert raised.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: sparkclean audit")
    assert said.endswith("unrecognized arguments: --lable y; did you mean --label?\n")


def test_json_log_is_one_object_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lake, "open_target", fail_with(errors.InputError(["one\u2028", 'tw"o'])))
    assert main(["versions", "/x", "--log-format", "json", "--debug"]) == 3
    entries = [json.loads(line) for line in capsys.readouterr().err.rstrip("\n").split("\n")]
    assert [entry["msg"] for entry in entries] == ["failed", "one\\u2028", 'tw"o']
    assert {entry["level"] for entry in entries} == {"ERROR"}
    assert "Traceback" in entries[0]["exception"]


@pytest.mark.parametrize("kind", [errors.PublishConflictError, errors.VersionExistsError])
def test_json_log_tells_the_two_meanings_of_code_5_apart(
    kind: type[errors.SparkCleanError],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lake, "open_target", fail_with(kind("other")))
    assert main(["versions", "/x", "--log-format", "json"]) == 5
    entry = json.loads(capsys.readouterr().err)
    assert (entry["event"], entry["error"], entry["exit_code"]) == ("error", kind.__name__, 5)


@pytest.mark.parametrize(
    ("blocked", "named"),
    [
        (["pydantic"], "pydantic"),
        (["yaml"], "PyYAML"),
        (["pydantic", "yaml"], "pydantic and PyYAML"),
    ],
)
def test_driver_package_missing_says_how_to_ship_it(blocked: list[str], named: str) -> None:
    code = f"""
        import sys
        sys.modules.update(dict.fromkeys({blocked!r}))
        from sparkclean.commands.main import main
        sys.exit(main(["audit", "--config", "conf/demo.yaml"]))
    """
    done = child("\n".join(line.strip() for line in code.splitlines()))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: the driver lacks {named}: ")
    assert len(done.stderr.splitlines()) == 1
    for words in ("pip install", "--archives", "PYSPARK_PYTHON", "docs/platforms/cluster.md"):
        assert words in done.stderr


# -- audit, as far as it goes without a session --------------------------------------------------


@pytest.fixture
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "open_session", fail_with(AssertionError("a session was opened")))


@pytest.mark.usefixtures("no_session")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such file"),
        ("input: {table: in}\nmethod: {filter: both}", "method.filter: unknown key"),
        ("input: {table: s3://b/in, format: parquet}", "is not supported yet"),
        ("input: {table: in, format: hudi}", "choose one of auto, parquet, delta, iceberg"),
        ("input: {table: in}\nclasses: nowhere.txt", "classes: nowhere.txt: no such file"),
        ("input: {table: in}\nclasses: [a]", "K = 1"),
    ],
)
def test_audit_wrong_configuration_exits_2_before_a_session_is_opened(
    text: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "audit.yaml"
    if text is not None:
        path.write_text(text)
    assert main(["audit", "--config", str(path)]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == ([path] if text else [])


@pytest.mark.usefixtures("no_session")
def test_audit_findings_come_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text('{"input": {"table": "in"}, "clean": {"mode": "x"}}')
    argv = ["audit", "--config", str(tmp_path / "a.json"), "--set", "gate.max_suspects=-1"]
    assert main([*argv, "--set", "method.frac_noise=2"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


# -- versions, show, revert ----------------------------------------------------------------------


def test_versions_lists_all_oldest_first(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["versions", target.location]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["version", "rows", "files", "MB", "created", "what", "run"]
    assert [line[0] for line in lines] == [" ", "*"]
    cells = [line[1:].split() for line in lines]
    assert [(c[0], c[1], c[2], c[5], c[6]) for c in cells] == [
        ("v00000001", "2", "1", "publish", "first"),
        ("v00000002", "3", "1", "publish", "second"),
    ]


def test_versions_of_an_empty_folder_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["versions", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path} has no versions\n"


@pytest.mark.parametrize("command", ["versions", "show", "check-version", "clean-up"])
def test_folder_of_outputs_is_answered_with_the_outputs(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    folder = Path(target.location).parent
    assert main([command, str(folder)]) == 2
    said = f"{folder} holds tables (1); name one of them: {target.location}"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv", [["versions"], ["show"], ["revert", "--to", "1"], ["clean-up", "--yes"]], ids=" ".join
)
def test_target_that_is_not_there_exits_3(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*argv, str(tmp_path / "nowhere")]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "nowhere does not exist, or is no folder; check the path" in shown.err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "argv", [["versions"], ["show"], ["revert", "--to", "1"], ["clean-up", "--yes"]], ids=" ".join
)
@pytest.mark.parametrize("location", ["", "a..b"])
def test_target_that_is_no_name_exits_2(
    argv: list[str], location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*argv, location]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_show_prints_the_current_version(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", target.location]) == 0
    assert capsys.readouterr().out == "id  run\n0   second\n1   second\n2   second\n"


@pytest.mark.parametrize("version", ["1", "v00000001", "v1"])
def test_show_older_version_by_number_or_name(
    target: ParquetTarget, version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", target.location, "--version", version]) == 0
    said, *rows = capsys.readouterr().out.splitlines()
    assert said == "shown: v00000001 of run first; current: v00000002 of run second"
    assert rows == ["id  run", "0   first", "1   first"]


def test_show_after_a_revert_says_what_is_current(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["revert", target.location, "--to", "1"]) == 0
    capsys.readouterr()
    assert main(["show", target.location, "-n", "1"]) == 0
    said = capsys.readouterr().out.splitlines()[0]
    assert said == "shown: v00000003, the current one of run first (reverted to v00000001)"
    assert main(["show", target.location, "-n", "1", "--version", "2"]) == 0
    said = capsys.readouterr().out.splitlines()[0]
    assert said == (
        "shown: v00000002 of run second; current: v00000003 of run first (reverted to v00000001)"
    )


def test_show_rows_that_match_text_of_a_column(target: ParquetTarget) -> None:
    assert target.head(5, matching={"id": "1"}).num_rows == 1
    assert target.head(5, matching={"id": "1", "run": "first"}).num_rows == 0


def test_show_prints_no_more_rows_than_asked(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", target.location, "-n", "1"]) == 0
    assert capsys.readouterr().out == "id  run\n0   second\n"


@pytest.mark.parametrize("argv", [["show", "--version"], ["revert", "--to"]], ids=" ".join)
def test_version_that_is_not_there_exits_3_and_names_those_that_are(
    target: ParquetTarget, argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*argv, "9", target.location]) == 3
    assert "has no version 9; it has v00000001, v00000002" in capsys.readouterr().err


def test_show_of_nothing_published_exits_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(tmp_path)]) == 3
    assert "nothing was published to it yet" in capsys.readouterr().err


def test_show_cells_stay_on_their_line() -> None:
    table = pa.table(
        {
            "text": ["a\nb", "x" * 50, None, "\x1b[31mü\r"],
            "number": [1 / 3, 1e-9, 2.0, None],
            "list": [[1, 2], [], None, []],
        }
    )
    head, *lines = table_as_text(table).splitlines()
    assert head.split() == ["text", "number", "list"]
    assert lines[0].split() == ["a\\nb", "0.333333", "[1,", "2]"]
    assert lines[1].split() == ["x" * 37 + "...", "1e-09", "[]"]
    assert lines[2].split() == ["2"]
    assert lines[3].split() == ["\\x1b[31mü\\r", "[]"]
    assert max(map(len, lines)) < 80


def test_show_table_without_rows_prints_its_columns() -> None:
    table = pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())})
    assert table_as_text(table) == "a  b"


def test_show_wide_table_is_written_record_by_record() -> None:
    table = pa.table({f"column_{i}": ["x" * 30, "y"] for i in range(10)})
    lines = table_as_text(table).splitlines()
    assert lines[0] == "column_0  " + "x" * 30
    assert lines[10] == ""
    assert lines[-1] == "column_9  y"


def test_show_endless_value_is_cut() -> None:
    table = pa.table({f"column_{i}": ["x" * 30_000] for i in range(10)})
    line = table_as_text(table).splitlines()[0]
    assert line == f"column_0  {'x' * 2000}... (28,000 characters more)"


def test_revert_makes_an_older_version_current(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["revert", target.location, "--to", "v00000001"]) == 0
    shown = capsys.readouterr().out
    assert shown == (
        f"{target.location} is now at v00000003, with the content of version v00000001\n"
    )
    main(["show", target.location])
    assert "first" in capsys.readouterr().out
    main(["versions", target.location])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.removeprefix("*").split()[5:] == ["revert", "first"]


@pytest.mark.parametrize("rows", [3, 100_000])
def test_show_into_a_pipe_that_nobody_reads_is_quiet(tmp_path: Path, rows: int) -> None:
    publish(new_target(tmp_path), "a", rows=rows)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "sparkclean", "show", str(tmp_path / "target")]
    # what is buffered is written at the end, too late for an except
    environ = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(
        [*command, "-n", str(rows)],
        cwd=REPOSITORY, env=environ, stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


# -- clean-up ------------------------------------------------------------------------------------


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Answer what clean-up asks, at a terminal; None ends the input."""

    def prepare(text: str | None) -> None:
        def reply(question: str) -> str:
            assert question == "remove all this? [y/N] "
            if text is None:
                raise EOFError
            return text

        monkeypatch.setattr("builtins.input", reply)
        monkeypatch.setattr(sys, "stdin", Terminal())

    return prepare


class Terminal:
    def isatty(self) -> bool:
        return True


def test_clean_up_with_nothing_to_do_says_so(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clean-up", target.location]) == 0
    assert capsys.readouterr().out == "nothing to clean up\n"


def test_clean_up_yes_does_not_ask(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clean-up", target.location, "--keep", "1", "--yes"]) == 0
    first, second, *_, last = capsys.readouterr().out.splitlines()
    assert first == "retire version v00000001"
    assert second == f"remove {target.location}/data/first"
    assert last.startswith("removed ")
    assert [version.name for version in target.versions()] == ["v00000002"]


def test_clean_up_without_terminal_and_yes_exits_2(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clean-up", target.location, "--keep", "1"]) == 2
    assert "without a terminal: --yes" in capsys.readouterr().err
    assert len(target.versions()) == 2


@pytest.mark.parametrize("text", ["n", "", "no", "yess", "N", None])
def test_clean_up_answered_otherwise_removes_nothing(
    target: ParquetTarget,
    answer: Callable[[str | None], None],
    text: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(text)
    assert main(["clean-up", target.location, "--keep", "1"]) == 0
    assert capsys.readouterr().out.endswith("nothing was removed\n")
    assert len(target.versions()) == 2


@pytest.mark.parametrize("text", ["y", "Y", "yes", " Yes "])
def test_clean_up_answered_with_yes_removes(
    target: ParquetTarget, answer: Callable[[str | None], None], text: str
) -> None:
    answer(text)
    assert main(["clean-up", target.location, "--keep", "1"]) == 0
    assert len(target.versions()) == 1


def test_clean_up_asks_at_a_real_terminal(target: ParquetTarget) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sparkclean", "clean-up", target.location, "--keep", "1"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=theirs, stdout=subprocess.PIPE, text=True
    ) as process:
        os.write(ours, b"n\n")
        out, _ = process.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == 0
    assert out.endswith("remove all this? [y/N] nothing was removed\n")
    assert len(target.versions()) == 2


def test_clean_up_keep_0_exits_2(target: ParquetTarget, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean-up", target.location, "--keep", "0", "--yes"]) == 2
    assert "--keep 0: at least the current version stays" in capsys.readouterr().err


# -- init ----------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "in", *noisy_data(20, 3))


def test_init_table_with_an_array_writes_a_configuration_that_loads(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    assert main(["init", str(table), "--to", str(path)]) == 0
    shown = capsys.readouterr()
    assert shown.out == (
        f"wrote {path}; check it, then: sparkclean audit --config {path} --dry-run\n"
    )
    assert shown.err.splitlines() == [
        "pred_probs: pred_probs (by name and type)",
        "label: label (by its name)",
        "id: id (named like an id, all values are different in 20 rows)",
    ]
    config = load_config(path, environ={})
    assert config.input.table == str(table)
    assert (config.columns.id, config.columns.label) == ("id", "label")
    assert config.columns.pred_probs == "pred_probs"
    assert config.classes is None


def test_init_table_with_columns_and_text_labels_writes_a_configuration_that_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ['say "a"', "b: c", "ü\n#", "no"]
    columns = {f"prob_{k}": np.full(4, 0.25) for k in range(4)}
    (tmp_path / "in").mkdir()
    content = pa.table({"uuid": list("wxyz"), "category": labels, **columns})
    pq.write_table(content, tmp_path / "in" / "part.parquet")
    path = tmp_path / "a.yaml"
    assert main(["init", str(tmp_path / "in"), "--to", str(path)]) == 0
    config = load_config(path, environ={})
    assert (config.columns.id, config.columns.label) == ("uuid", "category")
    assert config.columns.pred_probs == list(columns)
    assert resolve_classes(config) == tuple(sorted(labels))
    # what it is not sure of it says at once, too
    assert "warning: classes: CHECK: seen in 4 rows" in capsys.readouterr().err


def test_init_table_of_unknown_columns_says_what_it_could_not_guess(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"a": [1.5], "b": [2.5]}), tmp_path / "in" / "part.parquet")
    path = tmp_path / "a.yaml"
    assert main(["init", str(tmp_path / "in"), "--to", str(path)]) == 0
    remark = "could not guess label, pred_probs; the table has a, b"
    assert remark in path.read_text()
    assert f"warning: columns: {remark}" in capsys.readouterr().err
    assert load_config(path, environ={})


def test_init_existing_file_is_replaced_only_by_force(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("mine")
    assert main(["init", str(table), "--to", str(path)]) == 2
    assert "exists; choose another --to, or --force to replace it" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main(["init", str(table), "--to", str(path), "--force"]) == 0
    assert load_config(path, environ={})


def test_init_without_to_writes_audit_yaml_here(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "in"]) == 0
    assert load_config(tmp_path / "audit.yaml", environ={}).input.table == "in"


@pytest.mark.parametrize("place", ["nowhere/a.yaml", "in"])
def test_init_place_that_cannot_be_written_exits_2(
    table: Path, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(table), "--to", str(tmp_path / place), "--force"]) == 2
    assert f"--to {tmp_path / place}: cannot be written: " in capsys.readouterr().err


def test_init_table_that_is_not_there_exits_3_and_suggests(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", str(tmp_path / "inn"), "--to", str(tmp_path / "a.yaml")]) == 3
    assert f"did you mean {str(table)!r}?" in capsys.readouterr().err
    assert not (tmp_path / "a.yaml").exists()
