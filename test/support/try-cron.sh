#!/bin/bash
# Debian's cron runs README's line for some minutes, with an outage in the middle: each scheduled time is in the stream
# once, one mail tells of the outage, none of success. Beside it it runs the line that `owm init --print crontab` gives,
# in a folder with a strange name. As root, with the packages cron and redis-server:
#
#   test/support/try-cron.sh [MINUTES]       default 5; with 0 each line is started once, at once, without an outage
#
# cron gets a mount namespace of its own: its tables, its mail and its pid file are not this machine's.
set -euo pipefail
[ "${1:-}" = --inside ] || exec unshare -m "$0" --inside "${1:-5}"
minutes=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d -p /var/tmp) # owm warns of an outbox in /tmp
port=$((20000 + RANDOM % 9000))
mkdir -p "$work"/{tabs,cron.d,home/owm,programs,sbin,mail,run}

if [ "$minutes" = 0 ]; then times=@reboot; else times='* * * * *'; fi # in place of every hour
# README's line.
line=$(grep -m1 '^0 \* \* \* \* ' "$root/README.md" | sed "s/^0 \* \* \* \*/$times/")
printf 'HOME=%s\nPATH=%s:/usr/bin:/bin\nMAILTO=operator\n%s\n' "$work/home" "$work/programs" "$line" > "$work/tabs/root"
chmod 600 "$work/tabs/root"
printf '#!/bin/sh\nexec %s %s/bin/run.js "$@"\n' "$(command -v node)" "$root" > "$work/programs/owm"
printf '#!/bin/sh\ncat > %s/mail/$(date +%%s%%N)\n' "$work" > "$work/sbin/sendmail"
cp /usr/sbin/cron "$work/sbin/" # all that is in /usr/sbin here, whether or not this machine has a sendmail
chmod +x "$work"/{programs,sbin}/*
cat > "$work/home/owm/.owmrc.yaml" <<YAML
schedule: {cron: "* * * * *"}
source: {use: simulated-db, count: 100}
sink: {use: redis-stream, url: "redis://127.0.0.1:$port"}
outbox: {path: ./o.db}
retry: {attempts: 2, initialDelayMs: 100}
breaker: {resetAfterMs: 1000}
YAML

printed="$work/it's 100 % \"mine\""
mkdir "$printed"
cat > "$printed/.owmrc.yaml" <<YAML
schedule: {cron: "* * * * *", timezone: Asia/Kathmandu}
source: {use: simulated-db, count: 3}
sink: {use: jsonl, path: ./tasks.jsonl}
outbox: {path: ./o.db}
YAML
(cd "$printed" && "$work/programs/owm" init --print crontab) | sed "s/^\* \* \* \* \*/$times/" >> "$work/tabs/root"

mount --make-rprivate /
mount --bind "$work/tabs" /var/spool/cron/crontabs
mount --bind "$work/cron.d" /etc/cron.d
mount --bind /dev/null /etc/crontab
mount --bind "$work/run" /run
mount --bind "$work/sbin" /usr/sbin

redis() { redis-server --port "$port" --save '' --appendonly yes --dir "$work" > /dev/null & server=$!; }
redis
cron -f & cron=$!
trap 'kill "$cron" "$server" 2> /dev/null || true; wait; rm -rf "$work"' EXIT

next_minute() { sleep $((60 - 10#$(date +%S))); sleep 20; } # to second 20: the minute's job is over by then
entries() { redis-cli -p "$port" xlen owm-ingestion-stream 2> /dev/null; }
if [ "$minutes" = 0 ]; then
  for ((tries = 0; tries < 100; tries++)); do
    if [ "$(entries)" = 100 ] && [ "$(cat "$printed/tasks.jsonl" 2> /dev/null | wc -l)" = 3 ]; then break; fi
    sleep 0.3
  done
else
  next_minute
fi
outage=$((minutes / 2))
for ((minute = 1; minute <= minutes; minute++)); do
  if [ "$minute" = "$outage" ]; then kill -9 "$server"; wait "$server" 2> /dev/null || true; fi
  next_minute
  if [ "$minute" = "$outage" ]; then redis; fi
done
kill "$cron"

cd "$work/home/owm"
slots=$(PATH=$work/programs:$PATH owm outbox inspect --json | grep -o '"slot": "[^"]*"' | sort -u | wc -l)
entries=$(entries)
ids=$(redis-cli -p "$port" xrange owm-ingestion-stream - + | grep -o '"task_id":"[^"]*"' | sort -u | wc -l)
mails=$(ls "$work/mail" | wc -l)
lines=$(wc -l < "$printed/tasks.jsonl")
different=$(sort -u "$printed/tasks.jsonl" | wc -l)
echo "slots $slots, entries $entries, different task ids $ids, mails $mails"
echo "of the printed line: $lines tasks, $different different"
cat "$work"/mail/* 2> /dev/null || true
[ "$entries" = $((slots * 100)) ] && [ "$ids" = "$entries" ] && [ "$mails" = $((minutes > 0)) ] && [ "$slots" -ge "$minutes" ] &&
  [ "$lines" = $((slots * 3)) ] && [ "$different" = "$lines" ]
