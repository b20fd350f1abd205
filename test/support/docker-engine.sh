#!/usr/bin/env bash
# A Docker engine for the tests, where none answers: dockerd by hand, as root, with all its state in one directory, so
# that nothing on the machine, such as an earlier engine's pid file or storage, gets in its way.
#
#   test/support/docker-engine.sh COMMAND…    runs it with an engine: the one that answers, or one of its own
#
# Debian: docker.io, apparmor, cgroupfs-mount. .ci/run sources this file for its functions.

engine_pid=
engine_state=
engine_log=/dev/null

engine_answers() { timeout 20 docker version --format '{{ .Server.Version }}' >/dev/null 2>&1; }

# Sets DOCKER_HOST. Arguments: dockerd's flags. Fails if it doesn't answer.
start_engine() {
  if [[ -z "$engine_state" ]]; then engine_state="$(mktemp -d "${TMPDIR:-/tmp}/owm-engine.XXXXXX")"; fi
  dockerd --host "unix://$engine_state/docker.sock" --pidfile "$engine_state/docker.pid" \
    --data-root "$engine_state/data" --exec-root "$engine_state/exec" "$@" >>"$engine_log" 2>&1 &
  engine_pid=$!
  export DOCKER_HOST="unix://$engine_state/docker.sock"
  local deadline=$((SECONDS + 60))
  until engine_answers; do
    if ! kill -0 "$engine_pid" 2>/dev/null || ((SECONDS > deadline)); then
      stop_engine
      return 1
    fi
    sleep 0.3
  done
}

stop_engine() {
  if [[ -z "$engine_pid" ]]; then return; fi
  kill "$engine_pid" 2>/dev/null || true
  wait "$engine_pid" 2>/dev/null || true
  engine_pid=
  unset DOCKER_HOST
}

# Sandboxes may lack overlay mounts or netfilter; ports are mapped by docker-proxy even without it.
# Argument: a command that tries the engine, such as engine_answers.
start_some_engine() {
  if ! mountpoint -q /sys/fs/cgroup && command -v cgroupfs-mount >/dev/null; then cgroupfs-mount || true; fi
  local flags
  for flags in '' '--storage-driver=vfs' '--storage-driver=vfs --iptables=false --ip6tables=false'; do
    # shellcheck disable=SC2086 # several flags in one word
    if start_engine $flags && "$@"; then return; fi
    stop_engine
  done
  return 1
}

# Ends it and leaves nothing behind. An engine that failed to start leaves its storage mounted.
remove_engine() {
  stop_engine
  if [[ -z "$engine_state" ]]; then return; fi
  awk -v prefix="$engine_state/" 'index($2, prefix) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount
  rm -rf --one-file-system "$engine_state"
  engine_state=
}

if [[ "${BASH_SOURCE[0]}" != "$0" ]]; then return; fi

set -euo pipefail
if engine_answers; then exec "$@"; fi
trap remove_engine EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if ! start_some_engine engine_answers; then
  echo "docker-engine: no Docker engine answers, and none could be started: that takes root, and Debian's docker.io" >&2
  exit 1
fi
"$@"
