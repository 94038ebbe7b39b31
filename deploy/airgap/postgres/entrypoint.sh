#!/bin/bash
# PostgreSQL as the official image starts it: POSTGRES_PASSWORD(_FILE), POSTGRES_USER(_FILE), POSTGRES_DB(_FILE),
# POSTGRES_INITDB_ARGS, POSTGRES_HOST_AUTH_METHOD, PGDATA, /docker-entrypoint-initdb.d, `postgres -c …`, any user id.
set -euo pipefail

# value NAME DEFAULT: the variable, else the file that NAME_FILE names, else the default.
value() {
  local name=$1 file="${1}_FILE"
  if [[ -n ${!name-} && -n ${!file-} ]]; then
    echo "$name and $file are both set" >&2
    exit 1
  fi
  if [[ -n ${!file-} ]]; then cat "${!file}"; else printf '%s' "${!name-$2}"; fi
}

# The server refuses a user without a name; the container's user may be any number.
name_the_user() {
  getent passwd "$(id -u)" >/dev/null && return
  passwd=$(mktemp) group=$(mktemp)
  echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" >"$passwd"
  echo "postgres:x:$(id -g):" >"$group"
  export NSS_WRAPPER_PASSWD=$passwd NSS_WRAPPER_GROUP=$group LD_PRELOAD=libnss_wrapper.so
}

# Under another name until it is whole: a cluster whose making was cut off is made anew.
make_cluster() {
  local making=$PGDATA.making
  rm -rf "$making"
  eval 'initdb --username="$user" --pwfile=<(printf "%s\n" "$password") -D "$making" '"${POSTGRES_INITDB_ARGS-}"
  {
    echo "listen_addresses = '*'"
    echo "unix_socket_directories = '/var/run/postgresql'"
  } >>"$making/postgresql.conf"
  printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$making/pg_hba.conf"
  fill_cluster "$making"
  rmdir "$PGDATA" 2>/dev/null || true
  mv --no-target-directory "$making" "$PGDATA"
}

# The database and the scripts, through a server that nobody outside reaches.
fill_cluster() {
  pg_ctl -D "$1" -o "-c listen_addresses=''" -w start
  export PGPASSWORD=$password
  if [[ $database != postgres ]]; then
    psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$user" -d postgres -v name="$database" <<<'create database :"name";'
  fi
  local script
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) bash "$script" ;;
      *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$user" -d "$database" -f "$script" ;;
    esac
  done
  unset PGPASSWORD
  pg_ctl -D "$1" -m fast -w stop
}

[[ ${1-} == -* ]] && set -- postgres "$@"
[[ ${1-} == postgres ]] || exec "$@"

if [[ $(id -u) == 0 ]]; then
  install --directory --owner postgres --group postgres "$(dirname "$PGDATA")"
  install --directory --owner postgres --group postgres --mode 700 "$PGDATA"
  find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

umask 077
name_the_user
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  user=$(value POSTGRES_USER postgres)
  password=$(value POSTGRES_PASSWORD '')
  database=$(value POSTGRES_DB "$user")
  if [[ -z $password && ${POSTGRES_HOST_AUTH_METHOD-} != trust ]]; then
    echo "the database has no superuser password: set POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD" >&2
    exit 1
  fi
  mkdir -p "$(dirname "$PGDATA")"
  make_cluster
  unset password
fi
unset POSTGRES_PASSWORD POSTGRES_PASSWORD_FILE
exec "$@"
