"""The runner of pages: what it takes for blocks, commands and outputs. Needs no Spark."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from sparkclean.errors import ConfigError
from tests.docs.matching import difference, matches
from tests.docs.pages import (
    Block,
    Page,
    PageError,
    file_name,
    parse_page,
    split_commands,
)
from tests.docs.runner import PageFailure, check_part, plain_environment, run_blocks
from tests.docs.shell import Said, Shell

PAGE = """<!-- setup: demo -->
<!-- tests: full -->
# Title

```sh
echo one
```

```text
one
```

- a list
  ```python
  print(1)
  ```

Text between.

```text
not an output
```
"""


# -- blocks --------------------------------------------------------------------------------------


def test_parse_page_finds_blocks_with_lines_and_outputs() -> None:
    page = parse_page("x.md", PAGE)
    assert (page.setup, page.is_full, page.is_run) == ("demo", True, True)
    assert page.blocks == (
        Block("sh", "echo one\n", 6, "one\n"),
        Block("text", "one\n", 10),
        Block("python", "print(1)\n", 15, None),
        Block("text", "not an output\n", 21),
    )


def test_parse_page_without_comments_is_run_in_an_empty_folder() -> None:
    page = parse_page("x.md", "text `code` and ``` inline\n")
    assert (page.setup, page.is_full, page.is_run, page.blocks) == ("none", False, False, ())


def test_parse_page_takes_a_fence_in_a_longer_fence_for_text() -> None:
    (block,) = parse_page("x.md", "````text\n```sh\nls\n```\n````\n").blocks
    assert block.text == "```sh\nls\n```\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\n\n```sh\nls\n", "x.md:3: this fence has no end"),
        ("<!-- setup: lake -->\n", "x.md:1: setup: lake is unknown"),
        ("<!-- tests: never -->\n", "x.md:1: tests: never is unknown"),
    ],
)
def test_parse_page_refuses_what_it_does_not_know(text: str, words: str) -> None:
    with pytest.raises(PageError, match=words):
        parse_page("x.md", text)


@pytest.mark.parametrize(
    ("text", "name"),
    [("# file: conf/a.yaml\nscan: auto\n", "conf/a.yaml"), ("scan: auto  # file: a\n", None)],
)
def test_file_name_is_that_of_the_first_line(text: str, name: str | None) -> None:
    assert file_name(Block("yaml", text, 1)) == name


# -- commands ------------------------------------------------------------------------------------


def test_split_commands_gives_whole_ones_with_lines_and_exit_codes() -> None:
    text = (
        "# a comment\n"
        "echo a \\\n  b\n"
        "\n"
        "false    # exit code 1: it says so\n"
        "for i in 1 2; do\n  echo $i\ndone\n"
        "cat <<END > file\nfalse  # exit code 7 is text\nEND\n"
        "echo 'two\nlines'\n"
    )
    found = [(c.text, c.line, c.exit_code) for c in split_commands(Block("sh", text, 10))]
    assert found == [
        ("echo a \\\n  b", 11, 0),
        ("false    # exit code 1: it says so", 14, 1),
        ("for i in 1 2; do\n  echo $i\ndone", 15, 0),
        ("cat <<END > file\nfalse  # exit code 7 is text\nEND", 18, 7),
        ("echo 'two\nlines'", 21, 0),
    ]


def test_split_commands_refuses_a_command_without_an_end() -> None:
    with pytest.raises(PageError, match="line 3: the shell does not take this for whole: if true"):
        split_commands(Block("sh", "if true; then\n  ls\n", 3))


# -- outputs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("a\nb\n", "a\nb", True),
        ("a  \n", "\na\n\n", True),
        ("a\n", "a\nb\n", False),
        ("in ... s\n", "in 3.5 s\n", True),
        ("in ... s\n", "in 3.5 h\n", False),
        ("a...\n", "a\n", True),
        ("...\n", "", True),
        ("...\n", "any\nlines\n", True),
        ("a\n...\nb\n", "a\nb\n", True),
        ("a\n...\nb\n", "a\nx\ny\nb\n", True),
        ("a\n...\nb\n", "a\nx\ny\n", False),
        ("a.c (x)\n", "abc (x)\n", False),
        ("a\n", "\x1b[33ma\x1b[0m\n", True),
        ("  ...\nb\n", "x\nb\n", True),
    ],
)
def test_matches_takes_dots_for_what_varies(expected: str, actual: str, same: bool) -> None:
    assert matches(expected, actual) is same


def test_difference_shows_the_lines_that_differ_alone() -> None:
    shown = difference("took ... s\nrows 10\n", "took 3 s\nrows 11\n").splitlines()
    assert shown[-2:] == ["-rows 10", "+rows 11"]
    assert " took ... s" in shown


# -- the shell -----------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "page").mkdir()
    return Shell(tmp_path / "page", plain_environment(), tmp_path / "scratch")


def test_shell_keeps_folder_and_variables(shell: Shell) -> None:
    assert shell.run("mkdir a && cd a; N=3").code == 0
    assert shell.run('echo "$(basename $PWD) $N"').stdout == "a 3\n"
    shell.close()


def test_shell_tells_streams_apart_and_exit_codes(shell: Shell) -> None:
    said = shell.run("echo out; echo err >&2; (exit 4)")
    assert (said.code, said.stdout, said.stderr) == (4, "out\n", "err\n")
    assert sorted(said.both.splitlines()) == ["err", "out"]
    assert shell.run("cat").both == ""  # it has no stdin
    shell.close()


def test_shell_that_exits_gives_its_code(shell: Shell) -> None:
    assert shell.run("echo bye; exit 5") == Said(5, "bye\n", "bye\n", "")
    shell.close()


def test_shell_kills_a_command_that_hangs(shell: Shell) -> None:
    with pytest.raises(TimeoutError, match=r"after 0 s: sleep 1"):
        shell.run("sleep 1", seconds=0.2)
    shell.close()


# -- pages ---------------------------------------------------------------------------------------


def run(page: Page, folder: Path) -> None:
    def run_cell(block: Block) -> Said:
        return (
            Said(1, "ValueError: no", "", "")
            if "raise" in block.text
            else Said(0, "1\n", "1\n", "")
        )

    (folder / "scratch").mkdir(exist_ok=True)
    (folder / "page").mkdir(exist_ok=True)
    run_blocks(page, folder / "page", plain_environment(), folder / "scratch", run_cell)


def test_run_blocks_runs_what_a_page_says(tmp_path: Path) -> None:
    text = """
```yaml
# file: conf/a.yaml
scan: auto
```

```sh
cat conf/a.yaml >&2
echo done
ls nothing 2>/dev/null   # exit code 2
```

```text
...
scan: auto
done
```

```python
print(1)
```

```text
1
```

```yaml
clean: {mode: relabel}
```

```console
rm -rf /
```
"""
    run(parse_page("x.md", text), tmp_path)
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["conf"]


def test_run_blocks_takes_stdout_alone_for_the_output(tmp_path: Path) -> None:
    text = "```sh\necho log >&2; echo report\n```\n```text\nreport\n```\n"
    run(parse_page("x.md", text), tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n```sh\ntrue\nfalse\n```\n", r"x.md:4: false\nexit code 1, and the page says 0"),
        ("```sh\ntrue # exit code 2\n```\n", r"x.md:2: .*\nexit code 0, and the page says 2"),
        ("```sh\necho a\n```\n```text\nb\n```\n", r"(?s)x.md:2: echo a\nprints .*-b\n *\+a"),
        ("```sh\necho 'Traceback (most recent call last)' >&2\n```\n", "shows a stack trace"),
        ("```python\nraise\n```\n", r"(?s)x.md:2: this block raises.*ValueError: no"),
        ("```python\n1\n```\n```text\n2\n```\n", r"(?s)x.md:2: 1\nprints .*-2\n *\+1"),
        ("```yaml\ngate: {max_suspekts: 1}\n```\n", r"(?s)x.md:2: no part .*max_suspekts"),
    ],
)
def test_run_blocks_says_where_a_page_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PageFailure, match=words):
        run(parse_page("x.md", text), tmp_path)


@pytest.mark.parametrize(
    "text",
    ["predict: {group: patient}", "output: {format: delta}", "input: {version: 3}\nscan: files"],
)
def test_check_part_fills_in_what_is_left_out(text: str) -> None:
    check_part(text)


@pytest.mark.parametrize("text", ["- a", "on: [push]", "clean: {mode: burn}"])
def test_check_part_refuses_what_is_no_part(text: str) -> None:
    with pytest.raises(ConfigError):
        check_part(text)


def test_client_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    """It runs with -IS, where no other package is found."""
    shutil.copy(Path(__file__).parent / "client.py", tmp_path)
    shell = Shell(tmp_path, plain_environment(), tmp_path)
    said = shell.run(f"{sys.executable} -IS client.py python -c 'print(1)'")
    assert "SPARKCLEAN_DOCS_PYTHON" in said.stderr  # it came as far as to ask for it
    shell.close()
