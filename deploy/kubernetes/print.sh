#!/bin/sh
# Writes the cronjob.yaml of each folder beside it from the owm.yaml that is there, with `owm init --print kubernetes`.
#
#   deploy/kubernetes/print.sh [SHARDS]      of claims/: how many shards (3)
set -eu
cd "$(dirname "$0")"
shards="${1:-3}"

# Without the comment at its head, which names this machine's paths.
manifest() { owm init --print kubernetes --config owm.yaml "$@" | sed '1,/^---$/d'; }

for folder in one-producer indexed; do
  (cd "$folder" && manifest > cronjob.yaml)
done
cd claims
shard=0
while [ "$shard" -lt "$shards" ]; do
  if [ "$shard" -gt 0 ]; then echo ---; fi
  manifest --set "source.shard=$shard/$shards"
  shard=$((shard + 1))
done > cronjob.yaml
