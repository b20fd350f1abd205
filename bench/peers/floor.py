"""Peer: the least work that keeps the promise, by native code alone.

Ready-made tasks, a line each, go into SQLite (WAL, synchronous=FULL, a commit
per 500) and out again in one DELETE; ready-made XADD commands go through
`redis-cli --pipe`. Nothing is generated, validated, resumed or fenced.

    floor.py TASKS COMMANDS OUTBOX PORT

Prints the seconds from the first statement to the last reply: Python's start
and the reading of TASKS are not in it.
"""

import sqlite3
import subprocess
import sys
import time


def main(tasks, commands, path, port):
    with open(tasks, encoding="utf-8") as lines:
        rows = [(line.rstrip("\n"),) for line in lines]
    started = time.perf_counter()
    outbox = sqlite3.connect(path)
    outbox.execute("PRAGMA journal_mode = WAL")
    outbox.execute("PRAGMA synchronous = FULL")
    outbox.execute("CREATE TABLE tasks (seq INTEGER PRIMARY KEY, data TEXT NOT NULL)")
    for first in range(0, len(rows), 500):
        with outbox:
            outbox.executemany("INSERT INTO tasks (data) VALUES (?)", rows[first : first + 500])
    with outbox:
        outbox.execute("DELETE FROM tasks")
    with open(commands, "rb") as ready:
        subprocess.run(["redis-cli", "-p", port, "--pipe"], stdin=ready, stdout=subprocess.DEVNULL, check=True)
    print(time.perf_counter() - started)


main(*sys.argv[1:])
