"""Arguments, stdin to stdout, report, exit code: the only module that prints."""

from __future__ import annotations

import gc
import os
import sys

from durable.errors import DurableError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TextIO

    from durable.pipeline import PlanFile, Result
    from durable.stream import Stream

COMMANDS = ("render", "check", "explain", "rules")
USAGE = """\
usage: durable.sh [render] [--plan FILE] [--report FILE] [--hooks]   < stream > stream
       durable.sh check    [--plan FILE] [--format text|json]        < stream
       durable.sh explain  [--plan FILE] [--format text|json]        < stream
       durable.sh rules    [--format text|json]
A plan FILE is a PersistencePlan document or a values file with a 'persistence:' block.
Exit code 0: done, 1: refused by a rule, 2: cannot run."""


class Options:
    """The command line, read."""

    def __init__(self) -> None:
        self.command = "render"
        self.plan = ""
        self.report = ""
        self.format = "text"
        self.hooks = False


def parse_arguments(arguments: Sequence[str]) -> Options:
    """Read the command line by hand: argparse costs a tenth of a run. Raises UsageError."""
    options = Options()
    rest = list(arguments)
    if rest and not rest[0].startswith("-"):
        options.command = rest.pop(0)
        if options.command not in COMMANDS:
            raise UsageError(
                f"unknown command {options.command!r}: one of {', '.join(COMMANDS)}\n{USAGE}"
            )
    _read_flags(options, rest)
    if options.format not in ("text", "json"):
        raise UsageError(f"--format is text or json, not {options.format!r}")
    return options


def _read_flags(options: Options, rest: list[str]) -> None:
    seen: set[str] = set()
    while rest:
        flag, glued, value = rest.pop(0).partition("=")
        if flag == "--hooks" and not glued:
            options.hooks = True
            continue
        if flag not in ("--plan", "--report", "--format"):
            raise UsageError(f"unknown argument {flag!r}\n{USAGE}")
        value = value if glued or not rest else rest.pop(0)
        if not value:
            raise UsageError(f"{flag} needs a value\n{USAGE}")
        if flag in seen:
            raise UsageError(f"{flag} is given twice: keep one")
        seen.add(flag)
        setattr(options, flag[2:], value)


def main(arguments: Sequence[str]) -> int:
    """Run one command; give the exit code."""
    gc.disable()  # one pass over the input; a collector would only walk what is needed to the end
    report = Report("")
    try:
        if {"-h", "--help"} & set(arguments):
            _write_stdout([USAGE.encode(), b"\n"])
            return 0
        options = parse_arguments(arguments)
        path = options.report or os.environ.get("DURABLE_REPORT", "")
        report = Report(path, renders=options.command == "render")
        return RUN[options.command](options, report)
    except (*EXPECTED, KeyboardInterrupt) as error:
        return report.failure(f"durable: {_told(error)}")


EXPECTED = (DurableError, RecursionError, ModuleNotFoundError, OSError)


def _told(error: BaseException) -> str:
    """What an error says to a person."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, RecursionError):
        return "the input is nested too deeply to be read"
    if isinstance(error, ModuleNotFoundError):
        return MISSING.format(sys.executable, error.name)
    if isinstance(error, BrokenPipeError):
        return "stdout was closed before everything was written: nothing can be relied on"
    if isinstance(error, OSError):
        return f"{error.filename or 'stdin or stdout'}: {error.strerror}"
    return str(error)


MISSING = (
    "{} cannot import {}: take a Python that has PyYAML with libyaml "
    "(pip install -r requirements.txt in the post-renderer's folder), or unset DURABLE_PYTHON"
)


class Report:
    """Where messages go: stderr, a file, a descriptor; Helm shows stderr in one case of four."""

    def __init__(self, path: str, *, renders: bool = True) -> None:
        self.renders = renders
        self.path = ""
        if path:
            _append_to(path).close()  # a report that cannot be written is told before any work
        self.path = path

    @property
    def in_stream(self) -> bool:
        """Whether Helm 4 runs us as its plugin, which loses what is said and how it ended.

        Other plugins hand their HELM_PLUGIN_NAME on, and check or explain are nobody's plugin.
        """
        return os.environ.get("HELM_PLUGIN_NAME") == "durable" and self.renders

    def write(self, text: str) -> None:
        """Say it on every road."""
        line = text.rstrip("\n") + "\n"
        _say(line)
        if self.path:
            with _append_to(self.path) as file:
                file.write(line)
        descriptor = os.environ.get("DURABLE_REPORT_FD", "")
        if descriptor:
            _write_descriptor(descriptor, line)

    def failure(self, text: str) -> int:
        """Say why the run cannot go on; exit code 2 (under Helm 4 see refuse_in_stream)."""
        try:
            self.write(text)
        except (OSError, UsageError) as error:
            _say(f"durable: {error}\n")
        if self.in_stream:
            return refuse_in_stream(text)
        return 2


def _append_to(path: str) -> TextIO:
    try:
        # What is no UTF-8 in a file's name is written as escapes.
        return open(path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: PTH123  pathlib is slow
    except OSError as error:
        raise UsageError(f"the report {path} cannot be written: {error.strerror}") from None


def _say(line: str) -> None:
    """Write to stderr if it is open: a message that nobody can read must not hide the exit code."""
    try:
        sys.stderr.write(line)
        sys.stderr.flush()
    except (OSError, AttributeError):
        return


def _write_descriptor(descriptor: str, line: str) -> None:
    free = descriptor.isdecimal() and int(descriptor) > 2  # noqa: PLR2004  0 to 2 are spoken for
    try:
        os.write(int(descriptor) if free else -1, line.encode(errors="backslashreplace"))
    except (OSError, OverflowError):
        _say(f"durable: DURABLE_REPORT_FD={descriptor} is not a descriptor open for writing\n")


def refuse_in_stream(text: str) -> int:
    """Make Helm 4 show our text: it drops a plugin's stderr, but quotes a separator it cannot read.

    Seen on 4.3.1: ``error parsing YAML: invalid document separator: --- <our text>``; nothing is
    applied.
    """
    line = " ".join(text.split())
    try:
        _write_stdout([f"refused: true\n--- {line}\n".encode(errors="backslashreplace")])
    except (OSError, UsageError):
        return 2
    return 0


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise UsageError(
            "stdin is closed: pipe a rendered stream in, as in helm template ... | durable.sh"
        )
    return sys.stdin.buffer.read()


def _read_plan(path: str) -> PlanFile | None:
    if not path:
        return None
    from durable.pipeline import PlanFile  # after the arguments are known to be right

    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib is a slow import
            data = file.read()
    except OSError as error:
        raise UsageError(f"the plan {path} cannot be read: {error.strerror}") from None
    try:
        return PlanFile(path, data.decode())
    except UnicodeDecodeError:
        raise UsageError(f"the plan {path} is not UTF-8") from None


def _run(options: Options, report: Report) -> tuple[Stream, Result] | None:
    """Read stdin and run the pipeline; None for an empty stdin."""
    from durable import pipeline, stream  # YAML is loaded only where a stream is read

    plan_file = _read_plan(options.plan)
    data = _read_stdin()
    if not data:
        report.write(
            "durable: stdin is empty: nothing to do (did the command before the pipe fail?)"
        )
        return None
    documents = stream.read(data)
    return documents, pipeline.run(documents, plan_file, hooks=options.hooks)


def render(options: Options, report: Report) -> int:
    """Write the edited stream, or refuse."""
    ran = _run(options, report)
    if ran is None:
        return 0
    stream, result = ran
    for finding in result.findings:
        report.write(finding.text())
    if any(chunk.kind == "ResourceList" for chunk in stream.chunks):
        from durable import krm  # not for Helm

        if krm.is_resource_list(stream):
            answer = krm.answered(stream, result.findings, refused=result.refused)
            _write_stdout(answer.pieces())
            return 1 if result.refused else 0
    if result.refused:
        return _refused(result, report)
    _write_stdout(stream.pieces())
    return 0


def _refused(result: Result, report: Report) -> int:
    if not report.in_stream:
        return 1
    refused = [f for f in result.findings if f.severity == "refuse"]
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    where = (
        f"; all of it is in {report.path}"
        if report.path
        else "; set DURABLE_REPORT=FILE to see all of it"
    )
    return refuse_in_stream(f"durable refused: {refused[0].line()}{more}{where}")


def check(options: Options, report: Report) -> int:
    """Print the findings."""
    from durable.listing import findings_text  # not for render

    ran = _run(options, report)
    if ran is None:
        return 0
    _write_stdout([findings_text(ran[1].findings, options.format).encode()])
    return 1 if ran[1].refused else 0


def explain(options: Options, report: Report) -> int:
    """Print each edit, object by object."""
    from durable.listing import edits_text  # not for render

    ran = _run(options, report)
    if ran is None:
        return 0
    _write_stdout([edits_text(ran[1].edits, options.format).encode()])
    return 0


def rules(options: Options, _report: Report) -> int:
    """Print every rule."""
    from durable import pipeline  # noqa: F401  registers the rules
    from durable.listing import rules_text  # not for render

    _write_stdout([rules_text(options.format).encode()])
    return 0


RUN: dict[str, Callable[[Options, Report], int]] = {
    "render": render,
    "check": check,
    "explain": explain,
    "rules": rules,
}


def _write_stdout(pieces: Iterable[bytes | memoryview]) -> None:
    if sys.stdout is None:
        raise UsageError("stdout is closed: redirect it to a file or a pipe")
    sys.stdout.buffer.writelines(pieces)
    sys.stdout.buffer.flush()


def run_as_program() -> None:
    """Leave without tearing down the interpreter: that takes longer than reading the stream."""
    try:
        code = main(sys.argv[1:])
    except Exception:  # noqa: BLE001  exit code 1 is a rule's; Helm 4 must be told of a defect too
        from traceback import format_exc

        code = Report("").failure(f"durable: a defect of the post-renderer: {format_exc()}")
    os._exit(code)


if __name__ == "__main__":
    run_as_program()
