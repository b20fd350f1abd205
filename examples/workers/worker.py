"""A worker: takes tasks from the stream, does each once, and says when an hour is whole.

    python3 worker.py [--group NAME] [--pipeline NAME] [--once]

Needs redis-py (Debian: python3-redis). OWM_REDIS_URL names the server. --pipeline tells of that pipeline's receipts,
--once ends where nothing is left to do.
"""
import argparse
import json
import os
import socket
import sys

import redis

STREAM = "owm-ingestion-stream"
# Who holds a task for longer has died. It is longer than any task takes, and a worker takes one at a time.
SILENT_MS = 60_000
REMEMBERED_S = 2 * 86_400  # for so long a task that comes again is skipped


def fetch(task):
    """Here: ask the weather API, store what it says. An exception leaves the task to the next attempt."""
    print("did", task["task_id"], task["city"], flush=True)


def work(client, group, entry_id, data):
    """A task may come again: after a crash of this worker, or where owm delivers a lost stream anew."""
    task = json.loads(data)
    done = f"{{{STREAM}}}:done:{group}:{task['task_id']}"
    if not client.exists(done):
        fetch(task)
        client.set(done, 1, ex=REMEMBERED_S)
    client.xack(STREAM, group, entry_id)


def at_or_behind(one, other):
    """Whether an entry's id is the same as another, or a later one."""
    return tuple(map(int, one.split("-"))) >= tuple(map(int, other.split("-")))


def whole_slots(client, group, pipeline):
    """The slots that the group has worked off: all shards have a receipt, and nothing up to their ends is left."""
    shards = {}
    for field, text in client.hgetall(f"{{{STREAM}}}:owm:receipts:{pipeline}").items():
        shards.setdefault(field.split(" ")[0], []).append(json.loads(text))
    read = next(g["last-delivered-id"] for g in client.xinfo_groups(STREAM) if g["name"] == group)
    for slot, receipts in sorted(shards.items()):
        last = max((r["lastEntry"] or "0-0" for r in receipts), key=lambda id: tuple(map(int, id.split("-"))))
        held = client.xpending_range(STREAM, group, min="-", max=last, count=1)
        if len(receipts) == receipts[0]["shards"] and at_or_behind(read, last) and not held:
            yield slot


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--group", default="workers")
    parser.add_argument("--pipeline")
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    client = redis.Redis.from_url(os.environ.get("OWM_REDIS_URL", "redis://127.0.0.1:6379"), decode_responses=True)
    name = f"{socket.gethostname()}-{os.getpid()}"
    try:
        client.xgroup_create(STREAM, options.group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise
    told = set()
    while True:
        # First what a dead worker left behind, then what is new.
        _, left = client.xautoclaim(STREAM, options.group, name, min_idle_time=SILENT_MS, count=1)[:2]
        found = client.xreadgroup(options.group, name, {STREAM: ">"}, count=1, block=1_000)
        new = found[0][1] if found else []
        for entry_id, fields in [*left, *new]:
            try:
                work(client, options.group, entry_id, fields["data"])
            except Exception as error:
                if isinstance(error, redis.RedisError):
                    raise
                print("failed", entry_id, error, file=sys.stderr, flush=True)
        if options.pipeline:
            for slot in whole_slots(client, options.group, options.pipeline):
                if slot not in told:
                    print("whole", slot, flush=True)
                told.add(slot)
        if options.once and not left and not new:
            return


if __name__ == "__main__":
    main()
