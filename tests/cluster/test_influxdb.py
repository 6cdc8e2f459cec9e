"""The setup of the long-term store against a real InfluxDB: Debian's 1.6.7, in its own network.

The chart names 1.12, where SHOW RETENTION POLICIES has two columns more, and which alone asks who
reads by remote read. What is tested here is the same in both.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import debian
from tests.cluster.commands import CommandError, run
from tests.cluster.errors import MissingRequirementError
from tests.tools.stage import CHART

pytestmark = pytest.mark.cluster

SETUP = CHART / "files" / "influxdb" / "setup.sh"
# With its processes: a server that is left over dies with the namespace.
OWN_NETWORK = ("unshare", "--net", "--pid", "--fork", "--kill-child", "sh", "-euc")
# The server as the chart runs it, and a client with a user's name, password and statement.
ASK = """
export INFLUXDB_HTTP_AUTH_ENABLED=true
influxd >"$LOG" 2>&1 &
trap 'kill $!' EXIT
until influx -execute 'SHOW DATABASES' 2>&1 | grep -q authenti; do kill -0 $! && sleep 0.1; done
export INFLUX_USERNAME="$1" INFLUX_PASSWORD="$2"
influx -database prometheus -format json -execute "$3"
"""
SECRET = {
    "ADMIN_USERNAME": "admin",
    "ADMIN_PASSWORD": "of-the-admin",
    "WRITER_USERNAME": "writer",
    "WRITER_PASSWORD": r"it's a\b",
    "READER_USERNAME": "reader",
    "READER_PASSWORD": "of-the-reader",
}
VALUES = {
    "DATABASE": "prometheus",
    "RETENTION": "180d",
    "RETENTION_HOURS": "4320",
    "SHARD_DURATION": "7d",
}


@dataclass(frozen=True)
class Database:
    """A database's folder, and the programs that work on it."""

    folder: Path
    path: str

    def setup(self, **changed: str) -> str:
        """Run the setup with some of its environment changed, and return what it says."""
        return self._run(f"exec sh {SETUP}", **changed)

    def ask(self, user: str, password: str, statement: str) -> list[list[Any]]:
        """Return the rows that a user gets from the server, or raise with what it says."""
        answer = json.loads(self._run(ASK, user, password, statement))
        (result,) = answer["results"]
        if "error" in result:
            raise CommandError(["influx"], 1, result["error"])
        return [row for each in result.get("series", []) for row in each.get("values", [])]

    def policies(self) -> list[list[Any]]:
        """Return name, duration, piece, replicas and whether it is the default, of each policy."""
        return self.ask("admin", SECRET["ADMIN_PASSWORD"], "SHOW RETENTION POLICIES")

    def _run(self, script: str, *words: str, **changed: str) -> str:
        env = {
            **SECRET,
            **VALUES,
            "PATH": f"{self.path}:{os.environ['PATH']}",
            "LOG": str(self.folder / "log"),
            "TMPDIR": str(self.folder),
            "INFLUXDB_REPORTING_DISABLED": "true",
            "INFLUXDB_META_DIR": str(self.folder / "meta"),
            "INFLUXDB_DATA_DIR": str(self.folder / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(self.folder / "wal"),
        }
        command = f"ip link set lo up\n{script}"
        return run(*OWN_NETWORK, command, "sh", *words, env=env | changed)


@pytest.fixture(scope="module")
def programs_path() -> str:
    """Where Debian's InfluxDB is, or skip."""
    try:
        packages = [debian.package(name) for name in ("influxdb", "influxdb-client")]
    except MissingRequirementError as error:
        pytest.skip(str(error))
    return ":".join(str(each / "usr" / "bin") for each in packages)


@pytest.fixture
def database(tmp_path: Path, programs_path: str) -> Database:
    """A database that is set up once."""
    made = Database(tmp_path, programs_path)
    said = made.setup()
    assert "setup: made the database prometheus with the retention 180d\n" in said
    assert not (tmp_path / "data").exists(), "the data is not opened"
    return made


def test_retention(database: Database) -> None:
    """The database has one policy: 180 days in pieces of 7, and it is the default."""
    assert [["long_term", "4320h0m0s", "168h0m0s", 1, True]] == database.policies()


def test_users(database: Database) -> None:
    """The writer may not read, the reader may not write, and nobody else gets in."""
    writer, reader = (SECRET[f"{user}_PASSWORD"] for user in ("WRITER", "READER"))
    write, read = "SELECT 1 INTO a FROM b", "SHOW MEASUREMENTS"
    assert [] == database.ask("reader", reader, read)
    for user, password, statement, says in (
        ("writer", writer, read, "requires READ on prometheus"),
        ("reader", reader, write, "not authorized to execute statement"),
        ("reader", reader, "SHOW USERS", "requires admin privilege"),
        ("reader", "guess", read, "authorization failed"),
        ("", "", read, "unable to parse authentication credentials"),
    ):
        with pytest.raises(CommandError, match=says):
            database.ask(user, password, statement)


def test_again_changes_nothing(database: Database) -> None:
    """It may run at each start."""
    policies, users = database.policies(), _users(database)
    assert "has the retention 180d" in database.setup()
    assert (policies, users) == (database.policies(), _users(database))


def _users(database: Database) -> list[list[Any]]:
    return database.ask("admin", SECRET["ADMIN_PASSWORD"], "SHOW USERS")


@pytest.mark.parametrize(
    ("retention", "hours", "told"), [("365d", "8760", "8760h0m0s"), ("INF", "0", "0s")]
)
def test_longer(database: Database, retention: str, hours: str, told: str) -> None:
    """A longer retention is set, and after one for ever a shorter one is not."""
    database.setup(RETENTION=retention, RETENTION_HOURS=hours, SHARD_DURATION="14d")
    expected = [["long_term", told, "336h0m0s", 1, True]]
    assert expected == database.policies()
    assert "keeps its longer retention" in database.setup()
    assert expected == database.policies()


def test_shorter_is_by_hand(database: Database) -> None:
    """A shorter retention is not set; the command that is told for it does."""
    said = database.setup(RETENTION="30d", RETENTION_HOURS="720")
    assert "4320h0m0s" == database.policies()[0][1]
    command = said.partition("to have it: ")[2].partition("\n")[0]
    database.ask("admin", SECRET["ADMIN_PASSWORD"], command)
    assert "720h0m0s" == database.policies()[0][1]
    assert "has the retention 30d" in database.setup(RETENTION="30d", RETENTION_HOURS="720")


def test_policy_of_another_name(database: Database) -> None:
    """A database of before keeps its default policy: another one would hide its data."""
    statement = 'CREATE RETENTION POLICY "old" ON "prometheus" DURATION 1d REPLICATION 1 DEFAULT'
    database.ask("admin", SECRET["ADMIN_PASSWORD"], statement)
    database.setup()
    told = {row[0]: row[1:] for row in database.policies()}
    assert ["4320h0m0s", "168h0m0s", 1, True] == told["old"]


def test_new_passwords(database: Database) -> None:
    """New passwords, the administrator's too, lock nobody out; the old ones are worth nothing."""
    new = {f"{user}_PASSWORD": f"new-{user}" for user in ("ADMIN", "WRITER", "READER")}
    database.setup(**new)
    assert 3 == len(database.ask("admin", "new-ADMIN", "SHOW USERS"))
    assert [] == database.ask("reader", "new-READER", "SHOW MEASUREMENTS")
    with pytest.raises(CommandError, match="authorization failed"):
        _users(database)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"WRITER_PASSWORD": "a\nb"}, "the password of writer in the Secret needs to be one line"),
        ({"READER_PASSWORD": ""}, "the password of reader in the Secret needs to be one line"),
        ({"ADMIN_USERNAME": 'a"b'}, "the user name 'a\"b' of the Secret needs to be letters"),
        ({"INFLUXDB_META_DIR": "/proc/no"}, "influxd ended: see above"),
    ],
)
def test_what_is_wrong_is_told(database: Database, changed: dict[str, str], says: str) -> None:
    """The pod does not start on a Secret or a volume that cannot do; its log says why."""
    with pytest.raises(CommandError) as caught:
        database.setup(**changed)
    assert f"setup: {says}" in caught.value.stderr


def test_nothing_is_left(database: Database) -> None:
    """No scratch folder and no process of the setup stays, and no password is in a log."""
    database.policies()
    assert {"meta", "data", "log"} == {each.name for each in database.folder.iterdir()} - {"wal"}
    log = (database.folder / "log").read_text()
    assert [] == [word for key, word in SECRET.items() if "PASSWORD" in key and word in log]
