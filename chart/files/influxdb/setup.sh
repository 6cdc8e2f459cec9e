#!/bin/sh
# Make the database, its retention and its users what the values and the Secret say.
#
# It runs before the server, at each start of the pod, and may run any number of times. All that it
# sets is in the meta store. So a server of its own answers meanwhile: on the loopback address only,
# without passwords (a changed one locks nobody out), and without the data, which may take long to open.
#
# From the environment: DATABASE, RETENTION (180d, or INF), RETENTION_HOURS (0: INF), SHARD_DURATION, and
# {ADMIN,WRITER,READER}_{USERNAME,PASSWORD}; further INFLUXDB_META_DIR, as for the server.
set -eu

export INFLUXDB_HTTP_BIND_ADDRESS=127.0.0.1:8086
export INFLUXDB_HTTP_AUTH_ENABLED=false
export INFLUXDB_HTTP_LOG_ENABLED=false
export INFLUXDB_LOGGING_LEVEL=error
# What would judge or query the data, which this server does not see.
export INFLUXDB_RETENTION_ENABLED=false INFLUXDB_CONTINUOUS_QUERIES_ENABLED=false
export INFLUXDB_SHARD_PRECREATION_ENABLED=false
scratch=$(mktemp -d)
export INFLUXDB_DATA_DIR="$scratch/data" INFLUXDB_DATA_WAL_DIR="$scratch/wal"
patience=60 # seconds
newline='
'

say() {
  printf 'setup: %s\n' "$*"
}

fail() {
  say "$@" >&2
  exit 1
}

# The statement goes through a pipe: an argument can be read by every process of the pod.
ask() {
  printf '%s\n' "$1" | influx -host 127.0.0.1 -port 8086 -format csv
}

start() {
  influxd &
  server=$!
  trap 'kill "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
  trap 'exit 143' TERM INT
  until ask 'SHOW DATABASES' >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || fail 'influxd ended: see above'
    patience=$((patience - 1))
    [ "$patience" -gt 0 ] || fail 'influxd does not answer'
    sleep 1
  done
}

stop() {
  kill "$server"
  wait "$server" || fail 'influxd did not stop well'
}

# The first column of a row, or another one by its name, where the last column is "true".
of_default() {
  awk -F, -v wanted="$1" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == wanted) column = i }
    $NF == "true" { print $column }' "$scratch/policies"
}

# A longer retention is set. A shorter one is not: it deletes data, be it by a slip of the pen.
set_retention() {
  if ! ask 'SHOW DATABASES' | grep -Eqx "(databases,)?$DATABASE"; then
    ask "CREATE DATABASE \"$DATABASE\" WITH DURATION $RETENTION REPLICATION 1 SHARD DURATION $SHARD_DURATION NAME \"long_term\""
    say "made the database $DATABASE with the retention $RETENTION"
    return
  fi
  ask "SHOW RETENTION POLICIES ON \"$DATABASE\"" >"$scratch/policies"
  policy=$(of_default name)
  hours=$(of_default duration)
  hours=${hours%%h*}
  [ "$hours" != 0s ] || hours=0
  [ -n "$policy" ] || fail "the database $DATABASE has no default retention policy"
  change="ALTER RETENTION POLICY \"$policy\" ON \"$DATABASE\" DURATION $RETENTION SHARD DURATION $SHARD_DURATION"
  if [ "$RETENTION_HOURS" != 0 ] && { [ "$hours" = 0 ] || [ "$hours" -gt "$RETENTION_HOURS" ]; }; then
    say "the database $DATABASE keeps its longer retention, as $RETENTION deletes data; to have it: $change"
    return
  fi
  ask "$change"
  say "the database $DATABASE has the retention $RETENTION"
}

# set_user NAME PASSWORD PRIVILEGE
set_user() {
  case $1 in
    '' | *[!A-Za-z0-9_.-]*) fail "the user name '$1' of the Secret needs to be letters, digits, '_', '.' and '-'" ;;
  esac
  case $2 in
    '' | *"$newline"*) fail "the password of $1 in the Secret needs to be one line" ;;
  esac
  password=$(printf '%s' "$2" | sed "s/[\\\\']/\\\\&/g")
  if ask 'SHOW USERS' | grep -Eqx "$1,(true|false)"; then
    ask "SET PASSWORD FOR \"$1\" = '$password'"
  else
    ask "CREATE USER \"$1\" WITH PASSWORD '$password'"
  fi
  ask "GRANT $3 TO \"$1\""
}

start
set_retention
set_user "$ADMIN_USERNAME" "$ADMIN_PASSWORD" 'ALL PRIVILEGES'
set_user "$WRITER_USERNAME" "$WRITER_PASSWORD" "WRITE ON \"$DATABASE\""
set_user "$READER_USERNAME" "$READER_PASSWORD" "READ ON \"$DATABASE\""
stop
say 'the users are set'
