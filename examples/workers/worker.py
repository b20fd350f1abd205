"""A worker: takes tasks from the stream, does each once, and says when an hour is whole.

    python3 worker.py [--group NAME] [--pipeline NAME] [--once]

Needs redis-py (Debian: python3-redis). OWM_REDIS_URL names the server. --pipeline reports that pipeline's whole slots,
--once ends when all tasks are done or dead.
"""
import argparse
import json
import os
import socket
import sys

import redis

STREAM = "owm-ingestion-stream"
# A worker that holds a task for longer has died: this must exceed the time of any task. It takes one at a time.
SILENT_MS = 60_000
MOST_ATTEMPTS = 5  # after this many, those of workers that died included, a task is dead
REMEMBERED_S = 2 * 86_400  # a task that comes again within this time is skipped


def fetch(task):
    """Here: ask the weather API, store what it says. An exception leaves the task to the next attempt."""
    print("did", task["task_id"], task["city"], flush=True)


def work(client, group, entry_id, data):
    """A task may come again: after a crash of this worker, or if owm delivers a lost stream again."""
    task = json.loads(data)
    done = f"{{{STREAM}}}:done:{group}:{task['task_id']}"
    if not client.exists(done):
        # A task that kills its worker gets no further than this.
        if attempts_at(client, group, entry_id) > MOST_ATTEMPTS:
            raise RuntimeError("each worker that tried it died")
        fetch(task)
        client.set(done, 1, ex=REMEMBERED_S)
    client.xack(STREAM, group, entry_id)


def dead_key(group):
    """Entry id -> task, of the tasks that were given up."""
    return f"{{{STREAM}}}:dead:{group}"


def attempts_at(client, group, entry_id):
    """How often a worker got the entry, this time included; 0 if no worker holds it."""
    held = client.xpending_range(STREAM, group, min=entry_id, max=entry_id, count=1)
    return held[0]["times_delivered"] if held else 0


def failed(client, group, entry_id, data, error):
    """Leaves the entry with this worker, to be claimed in a minute; after the last attempt, sets it aside."""
    dead = attempts_at(client, group, entry_id) >= MOST_ATTEMPTS
    if dead:
        client.pipeline().hset(dead_key(group), entry_id, data).xack(STREAM, group, entry_id).execute()
    print("dead" if dead else "failed", entry_id, repr(error), file=sys.stderr, flush=True)


def place(entry_id):
    """Entries are ordered by time, then by number."""
    return tuple(map(int, entry_id.split("-")))


def whole_slots(client, group, pipeline):
    """The slots whose tasks the group has done: all shards have a receipt, and none of their tasks is left or dead."""
    shards = {}
    for field, text in client.hgetall(f"{{{STREAM}}}:owm:receipts:{pipeline}").items():
        shards.setdefault(field.split(" ")[0], []).append(json.loads(text))
    read = next(g["last-delivered-id"] for g in client.xinfo_groups(STREAM) if g["name"] == group)
    for slot, receipts in sorted(shards.items()):
        first = min((r["firstEntry"] for r in receipts if r["firstEntry"]), key=place, default="0-0")
        last = max((r["lastEntry"] or "0-0" for r in receipts), key=place)
        if len(receipts) != receipts[0]["shards"] or place(read) < place(last):
            continue
        if client.xpending_range(STREAM, group, min="-", max=last, count=1):
            continue
        # Checked last: a task moves from the pending to the dead in one step.
        if not any(place(first) <= place(dead) <= place(last) for dead in client.hkeys(dead_key(group))):
            yield slot


def next_task(client, group, name, cursor):
    """An entry that a worker that died or a failed attempt left behind; if there is none, a new one.

    Each call looks at ten pending entries, from the cursor on; the next call continues at the cursor that it returns.
    """
    cursor, left = client.xautoclaim(STREAM, group, name, SILENT_MS, start_id=cursor, count=1)[:2]
    if left:
        return cursor, left[0]
    found = client.xreadgroup(group, name, {STREAM: ">"}, count=1, block=1_000)
    return cursor, found[0][1][0] if found else None


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
    reported = set()
    cursor = "0-0"
    while True:
        cursor, entry = next_task(client, options.group, name, cursor)
        if entry:
            entry_id, fields = entry
            try:
                work(client, options.group, entry_id, fields["data"])
            except redis.RedisError:
                raise
            except Exception as error:
                failed(client, options.group, entry_id, fields["data"], error)
        if options.pipeline:
            for slot in whole_slots(client, options.group, options.pipeline):
                if slot not in reported:
                    print("whole", slot, flush=True)
                reported.add(slot)
        # Entries that failed, or that a worker that died holds, come again.
        if options.once and not entry and client.xpending(STREAM, options.group)["pending"] == 0:
            return


if __name__ == "__main__":
    main()
