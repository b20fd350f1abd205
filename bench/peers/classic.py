"""Peer: what one would write instead of owm, in an afternoon.

Every task is a validated model and one row of a SQLite outbox (WAL,
synchronous=FULL, a commit a page of 500). Then pages of 500 pending rows,
oldest first, go to the stream in MULTI/EXEC and are deleted. As such programs
are, it has no index on the time that it sorts by; --index gives it one.

    classic.py COUNT OUTBOX PORT [--index]

Needs redis-py and pydantic (1 or 2).
"""

import json
import sqlite3
import sys
import time
from uuid import UUID, uuid4

from pydantic import BaseModel
from redis import Redis

PAGE = 500
STREAM = "owm-ingestion-stream"


class IngestionTask(BaseModel):
    task_id: UUID
    latitude_deg: float
    longitude_deg: float
    city: str
    state: str
    forecast_duration_hours: int = 72
    historical_duration_hours: int = 72
    location_id: int

    def to_json(self):
        return self.model_dump_json() if hasattr(self, "model_dump_json") else self.json()


def simulated(number):
    return {
        "task_id": uuid4(),
        "latitude_deg": number * 7919 % 18001 / 100 - 90,
        "longitude_deg": number * 6007 % 36001 / 100 - 180,
        "city": f"city-{number + 1}",
        "state": f"state-{number % 50}",
        "location_id": number + 1,
    }


def store(outbox, count):
    for start in range(0, count, PAGE):
        tasks = [IngestionTask(**simulated(number)) for number in range(start, min(count, start + PAGE))]
        stored_at = time.time()
        with outbox:
            outbox.executemany(
                "INSERT INTO tasks VALUES (?, ?, 'pending', ?)",
                [(str(task.task_id), task.to_json(), stored_at) for task in tasks],
            )


def hand_over(outbox, redis):
    page = "SELECT task_id, data FROM tasks WHERE status = 'pending' ORDER BY stored_at, task_id LIMIT ?"
    while rows := outbox.execute(page, (PAGE,)).fetchall():
        with redis.pipeline(transaction=True) as batch:
            for _, data in rows:
                task = IngestionTask(**json.loads(data))
                batch.xadd(STREAM, {"data": task.to_json()}, maxlen=100_000, approximate=True)
            batch.execute()
        with outbox:
            outbox.executemany("DELETE FROM tasks WHERE task_id = ?", [(task_id,) for task_id, _ in rows])


def main(count, path, port, *options):
    outbox = sqlite3.connect(path)
    outbox.execute("PRAGMA journal_mode = WAL")
    outbox.execute("PRAGMA synchronous = FULL")
    outbox.execute(
        "CREATE TABLE IF NOT EXISTS tasks"
        " (task_id TEXT PRIMARY KEY, data TEXT NOT NULL, status TEXT NOT NULL, stored_at REAL NOT NULL)"
    )
    if "--index" in options:
        outbox.execute("CREATE INDEX IF NOT EXISTS by_age ON tasks (status, stored_at, task_id)")
    store(outbox, int(count))
    hand_over(outbox, Redis(port=int(port)))
    outbox.close()


main(*sys.argv[1:])
