"""Bad input, as a person's pipeline would bring it: one message, exit code 2, an empty stdout."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.running import (
    DOOR,
    PLAN,
    PROMETHEUS,
    SETTINGS,
    assert_failed,
    assert_told,
    outside,
    run,
    shell,
    stream,
)

BROKEN = SETTINGS + "data:\n  a: b\n"
WHOLE = stream(PLAN, PROMETHEUS)
# Where the second and the third document of a stream begin.
SECOND = "document 2 (Prometheus kps, line 10): "
SPLIT = "put a line '---' between them"
TEXT = "not a Kubernetes object: an object has apiVersion and kind"
NOTHING = "stdin holds no Kubernetes object, only comments or empty documents"


def third(text: str) -> bytes:
    """Return a stream whose third document is this one."""
    return stream(PLAN, PROMETHEUS, text)


# Each row: what is wrong, the stream, and the parts that the message must have.
STREAMS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "not YAML": (
        third(SETTINGS + "data: {a: [}\n"),
        ("document 3 (ConfigMap settings, line 18): line 23: not YAML: ",),
    ),
    "tabs": (
        third(SETTINGS + "data:\n\ta: b\n"),
        ("document 3 (ConfigMap settings, line 18): line 24: ", "indent with spaces, not tabs"),
    ),
    "no line break before the separator": (
        stream(PLAN, PROMETHEUS.rstrip("\n")) + b"---\n" + BROKEN.encode(),
        (SECOND, "'kind' stands twice, the second time in line 19", SPLIT),
    ),
    "no separator": (
        stream(PLAN, PROMETHEUS + BROKEN),
        (SECOND, "'kind' stands twice, the second time in line 19", SPLIT),
    ),
    "text at the separator": (
        stream(PLAN, PROMETHEUS) + b"---apiVersion: v1\nkind: ConfigMap\n",
        ("stdin, line 18: '---' must be followed by a line break", "split the line"),
    ),
    "text behind the end mark": (
        stream(PLAN, PROMETHEUS + "...\n" + BROKEN),
        (SECOND, "line 19: content behind an end mark '...'", "start a new document with"),
    ),
    "comment behind the end mark, then text": (
        third(SETTINGS + "...\n# more\nmore: text\n"),
        ("document 3 (ConfigMap settings, line 18): line 25: content", "start a new document"),
    ),
    "undefined alias": (
        third(SETTINGS + "data:\n  a: *none\n"),
        (
            "document 3 (ConfigMap settings, line 18): line 24: ",
            "the alias *none has no anchor in this document: write the value out",
        ),
    ),
    "alias of another document": (
        third(SETTINGS + "data:\n  a: &here b\n---\n" + SETTINGS + "data: {a: *here}\n"),
        ("document 4 (ConfigMap settings, line 25): line 30: the alias *here has no anchor",),
    ),
    "anchor that an edit would change": (
        stream(PLAN, PROMETHEUS.replace("spec:", "spec: &shared") + "other: *shared\n"),
        (SECOND, "line 16: ", "the anchor &shared", "write the value out"),
    ),
    "key that stands twice": (
        stream(PLAN, PROMETHEUS + "  replicas: 2\n"),
        (SECOND, "line 18: the key 'replicas' stands twice in one mapping: remove one"),
    ),
    "key of the plan that stands twice": (
        stream(PLAN + "      size: 6Gi\n", PROMETHEUS),
        ("PersistencePlan plan", "line 10: the key 'size' stands twice: remove one"),
    ),
    "Latin 1": (
        third(SETTINGS + "data: {a: é}\n").decode().encode("latin-1"),
        ("stdin, line 23: the text is not UTF-8: save it as UTF-8",),
    ),
    "NUL": (
        third(SETTINGS + "data:\n  a: \0\n"),
        ("document 3 (ConfigMap settings, line 18): line 24: not YAML: ", "take the character out"),
    ),
    "comments": (b"# nothing\n---\n# here\n", (NOTHING, "look at what comes before the pipe")),
    "null": (b"---\nnull\n---\n~\n", (NOTHING, "look at what comes before the pipe")),
    "blanks": (b"\n  \n\n", (NOTHING, "look at what comes before the pipe")),
    "text": (b"hello\n", ("document 1 (no kind, line 1): plain text, " + TEXT,)),
    "list": (third("- a\n- b\n"), ("document 3 (no kind, line 18): a list, " + TEXT,)),
    "a failed Helm's words": (
        b"Error: INSTALLATION FAILED: cannot re-use a name\n",
        ("document 1 (no kind, line 1): line 1: not YAML: ",),
    ),
    "no kind": (third("a: b\n"), ("document 3 (no kind, line 18): no 'kind': not a Kubernetes",)),
    "no plan": (
        stream(PROMETHEUS),
        ("no plan: the stream has no PersistencePlan document", "--plan FILE"),
    ),
    "two plans": (
        stream(PLAN, PROMETHEUS, PLAN),
        (
            "two plans: document 1 (PersistencePlan plan, line 1) and ",
            "document 3 (PersistencePlan plan, line 18); keep one",
        ),
    ),
    "plan for another release": (
        stream(
            PLAN.replace("release: kps", "release: other"),
            PROMETHEUS.replace(
                "  namespace", "  labels: {release: kps, heritage: Helm}\n  namespace"
            ),
        ),
        (
            "the plan is for the release 'other', but Prometheus mon/kps belongs to 'kps'",
            "render both with one release name",
        ),
    ),
    "JSON that ends early": (
        third('{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}'),
        ("document 3 (no kind, line 18): ", "not YAML: "),
    ),
}
EACH_STREAM = pytest.mark.parametrize("what", STREAMS)


@EACH_STREAM
def test_a_bad_stream_is_refused(what: str) -> None:
    """A stream that cannot be relied on is refused: where it is wrong, and what to do."""
    data, told = STREAMS[what]
    assert_failed(run(data), *told)


@EACH_STREAM
@pytest.mark.parametrize("command", ["check", "explain"])
def test_other_commands_refuse_it_as_well(what: str, command: str) -> None:
    """What render cannot read, check and explain cannot read either."""
    data, told = STREAMS[what]
    assert_failed(run(data, command), *told)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_encodings_are_named(encoding: str) -> None:
    """A stream that PowerShell wrote is refused with the encoding that it must have."""
    answer = run(WHOLE.decode().encode(encoding))
    assert_failed(answer, "stdin, line 1: the text is UTF-16 or UTF-32: write it as UTF-8")


# The plan's line that is replaced, what takes its place, and what is said of it.
PLANS = (
    ("size: 5Gi", "sise: 5Gi", "spec.persistence.prometheus.sise is unknown: did you mean 'size'?"),
    ("prometheus:", "promteheus:", "promteheus is unknown: did you mean 'prometheus'?"),
    ("size: 5Gi", "size: 5GB", "size is '5GB': it must be a Kubernetes quantity such as 50Gi"),
    ("size: 5Gi", "size: lots", "size is 'lots': it must be a Kubernetes quantity such as 50Gi"),
    ("size: 5Gi", "size: 0", "size is 0: it must be more than nothing"),
    ("size: 5Gi", "size: -5Gi", "size is '-5Gi': it must be more than nothing"),
    ("size: 5Gi", "volumes: {}", "spec.persistence.prometheus.volumes must be a list"),
    ("stack/v1", "stack/v2", "apiVersion and kind must be durable-prometheus-stack/v1"),
)


@pytest.mark.parametrize(("old", "new", "told"), PLANS)
def test_a_wrong_plan_is_refused(old: str, new: str, told: str) -> None:
    """What is wrong in the plan document is named by its path, with what it must be."""
    answer = run(stream(PROMETHEUS, PLAN.replace(old, new)))
    assert_failed(answer, "document 2 (PersistencePlan plan, line 8): ", told)


# A field of a consumer with a value of the wrong type, its line, and what is said of it.
TYPES = (
    (
        "  replicas: 1",
        "  replicas: two",
        17,
        "spec.replicas is a string, it must be a whole number",
    ),
    ("  replicas: 1", "  replicas: [1]", 17, "spec.replicas is a list, it must be a whole number"),
    ("  replicas: 1", "  shards: x", 17, "spec.shards is a string, it must be a whole number"),
    ("  replicas: 1", "  storage: x", 17, "spec.storage is a string, it must be a mapping"),
    (
        "  replicas: 1",
        "  securityContext: []",
        17,
        "spec.securityContext is a list, it must be a mapping",
    ),
    ("spec:\n  replicas: 1", "spec: []", 16, "spec is a list, it must be a mapping"),
    ("  name: kps", "  name: 12", 14, "metadata.name is a whole number, it must be a string"),
    ("  name: kps", "  name: kps\n  labels: x", 15, "metadata.labels is a string, it must be a"),
)


@pytest.mark.parametrize(("old", "new", "line", "told"), TYPES)
def test_a_field_of_the_wrong_type_is_refused(old: str, new: str, line: int, told: str) -> None:
    """A consumer's field that cannot be what it says is named, with its line in the stream."""
    answer = run(stream(PLAN, PROMETHEUS.replace(old, new)))
    assert_failed(answer, "document 2 (Prometheus ", f"line {line}: ", told)


def test_nothing_in_is_nothing_out() -> None:
    """An empty stdin gives an empty stdout, exit code 0, and one line that says so."""
    answer = run(b"")
    assert (0, b"") == (answer.code, answer.out)
    assert_told(answer.said, "stdin is empty: nothing to do", "the command before the pipe")


DEEP = 10_000


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("- ", "")])
def test_deep_nesting_is_refused(opening: str, closing: str) -> None:
    """A consumer nested ten thousand deep is refused in words, not by a stack that overflows."""
    field = "  x:\n    " + opening * DEEP + "1" + closing * DEEP + "\n"
    told = run(stream(PLAN, PROMETHEUS + field))
    assert_failed(told, "nested too deeply to be read", "document 2 (Prometheus kps")


def test_deep_nesting_elsewhere_is_passed_on() -> None:
    """What no step reads may be nested as deeply as it likes."""
    deep = SETTINGS + "x: " + "[" * DEEP + "]" * DEEP + "\n"
    answer = run(stream(PLAN, PROMETHEUS, deep))
    assert 0 == answer.code, answer.said
    assert deep in answer.text


def test_a_closed_stdin_is_told() -> None:
    """Without a stdin there is nothing to read, which is said."""
    assert_failed(shell('"$DOOR" <&-'), "stdin is closed: pipe a rendered stream in")


def test_a_folder_as_stdin_is_told() -> None:
    """A folder in the place of a stream is named as what it is."""
    assert_failed(shell('"$DOOR" < /'), "stdin is a folder: pipe a rendered stream in")


def test_a_closed_stdout_is_told() -> None:
    """Without a stdout the stream cannot be written, which is said."""
    assert_failed(shell('"$DOOR" >&-', WHOLE), "stdout is closed: redirect it")


def test_a_full_disk_is_told() -> None:
    """Where the output cannot be written, the reason is said."""
    assert_failed(shell('"$DOOR" > /dev/full', WHOLE), "stdout: No space left on device")


def test_a_closed_stderr_keeps_the_exit_code() -> None:
    """A message that nobody can read changes neither the stream nor the exit code."""
    assert 2 == shell('"$DOOR" 2>&-', b"a: b\n").code
    rendered = shell('"$DOOR" 2>&-', WHOLE)
    assert (0, run(WHOLE).out) == (rendered.code, rendered.out)


@pytest.mark.parametrize("variables", [{}, {"HELM_PLUGIN_NAME": "durable"}])
def test_a_reader_that_leaves_is_told(variables: dict[str, str]) -> None:
    """When the reader of five megabytes leaves early, the run fails: half a stream is none."""
    filler = SETTINGS + "data:\n" + f"  a: {'x' * 80}\n" * 60_000
    data = stream(PLAN, PROMETHEUS, filler.replace("kind: ConfigMap", "kind: Unread"))
    script = '{ "$DOOR"; echo "code $?" >&2; } | head -c 9 >/dev/null'
    answer = shell(script, data, **variables)
    message, code = answer.said.splitlines()
    assert_told(message, "stdout was closed before everything was written")
    assert "code 2" == code


def test_an_interrupt_is_told() -> None:
    """Whoever stops a run gets a line in our words, and no stream."""
    pipe = subprocess.PIPE
    with subprocess.Popen([DOOR], env=outside(), stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        # More than a pipe holds: once it is written, the run is known to be reading.
        process.stdin.write(b"#" * 1_000_000)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, said = process.communicate()
    assert (2, b"", b"durable: interrupted\n") == (process.returncode, out, said)
