#!/bin/sh
# Writes the cronjob.yaml of each folder beside it from the owm.yaml that is there, with `owm init --print kubernetes`.
#
#   deploy/kubernetes/print.sh [SHARDS]      of claims/: how many shards (3)
set -eu
cd "$(dirname "$0")"
shards="${1:-3}"
case "$shards" in
  0* | *[!0-9]*) echo "print.sh: SHARDS is a number from 1 on, not $shards" >&2 && exit 2 ;;
esac

# Without the comment at its head, which names this machine's paths.
manifest() {
  text="$(owm init --print kubernetes --config owm.yaml "$@")"
  printf '%s\n' "$text" | sed '1,/^---$/d'
}

claims() {
  shard=0
  while [ "$shard" -lt "$shards" ]; do
    if [ "$shard" -gt 0 ]; then echo ---; fi
    manifest --set "source.shard=$shard/$shards"
    shard=$((shard + 1))
  done
}

# A folder keeps what it has where owm refuses its configuration. Who copied this leaves out what isn't needed.
trap 'rm -f cronjob.new' EXIT
for folder in one-producer indexed claims; do
  cd "$folder" 2>/dev/null || continue
  if [ "$folder" = claims ]; then claims > cronjob.new; else manifest > cronjob.new; fi
  mv cronjob.new cronjob.yaml
  cd ..
done
