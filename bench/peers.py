"""The peers' own scripts: the same three steps, written as their documentation shows it.

Each is run by a Python of its own environment with a folder, a number of runs and how many are in
flight, and prints JSON: runs a second and each run's time in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

_DBOS = """
import json, sqlite3, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from dbos import DBOS, DBOSConfig

folder, runs, in_flight = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
file = folder / "dbos.sqlite3"
with sqlite3.connect(file) as connection:
    connection.execute("PRAGMA journal_mode = WAL")
url = f"sqlite:///{file}"
config: DBOSConfig = {"name": "bench", "system_database_url": url, "log_level": "ERROR"}
DBOS(config=config)

@DBOS.step()
def one(): return None

@DBOS.step()
def two(): return None

@DBOS.step()
def three(): return None

@DBOS.workflow()
def flow(x):
    one(); two(); three()

DBOS.launch()

def run(n):
    began = time.perf_counter()
    DBOS.start_workflow(flow, 1).get_result()
    return time.perf_counter() - began

with ThreadPoolExecutor(in_flight) as pool:
    list(pool.map(run, range(in_flight)))
    began = time.perf_counter()
    took = list(pool.map(run, range(runs)))
    rate = runs / (time.perf_counter() - began)
DBOS.destroy()
print(json.dumps({"rate": rate, "took": took}))
"""

_PREFECT = """
import asyncio, json, os, sys, time
folder, runs, in_flight = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.environ |= {"PREFECT_HOME": f"{folder}/prefect", "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_TO_API_ENABLED": "false"}
from prefect import flow, task

@task
async def step(): return None

@flow
async def line():
    await step(); await step(); await step()

async def main():
    gate, took = asyncio.Semaphore(in_flight), []
    async def one():
        async with gate:
            began = time.perf_counter()
            await line()
            took.append(time.perf_counter() - began)
    await line()
    runs_here = max(10, runs // 10)
    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(runs_here)))
    return {"rate": runs_here / (time.perf_counter() - began), "took": took}

print(json.dumps(asyncio.run(main())))
"""

PEERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "DBOS": (("dbos==3.4.0",), _DBOS),
    "Prefect": (("prefect==3.9.1",), _PREFECT),
}
"""By name: what to install, and the script."""
