"""The peers' own scripts, written as their documentation shows it, and where they are installed.

Those of workflows run the same three steps: by a Python of their own environment, with a folder, a
number of runs and how many are in flight. They print JSON: runs a second and each run's time in
seconds.
"""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

_CACHE = Path(__file__).resolve().parent.parent / ".cache" / "bench-peers"

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

LUNAR = ("lunar_python==1.4.8",)
LUNAR_CHARTS = """
import json, random, sys, time
from lunar_python import Solar

chance = random.Random(8)
births = [[chance.randint(1910, 2050), chance.randint(1, 12), chance.randint(1, 28),
           chance.randint(0, 23), chance.randint(0, 59), 0] for _ in range(int(sys.argv[1]))]

def chart(birth):
    eight = Solar.fromYmdHms(*birth).getLunar().getEightChar()
    said = [eight.getYear(), eight.getMonth(), eight.getDay(), eight.getTime(),
            eight.getYearShiShenGan(), eight.getMonthShiShenGan(), eight.getTimeShiShenGan(),
            eight.getYearWuXing(), eight.getMonthWuXing(), eight.getDayWuXing(),
            eight.getTimeWuXing(), eight.getDayXunKong()]
    yun = eight.getYun(1, 2)
    said += [yun.getStartYear(), yun.getStartMonth(), yun.getStartDay()]
    return said + [luck.getGanZhi() for luck in yun.getDaYun(9)]

for birth in births[:5]:
    chart(birth)
began = time.process_time()
for birth in births:
    chart(birth)
print(json.dumps({"rate": len(births) / (time.process_time() - began)}))
"""
"""Prints JSON: charts a second of one core. To be run with how many."""


def environment(console: Console, name: str, packages: Sequence[str]) -> Path | None:
    """The Python of a peer's own environment, installed at first use; None where it cannot be."""
    home = _CACHE / name
    python = home / "bin" / "python"
    if (home / "done").exists():
        return python
    console.print(f"installing {', '.join(packages)} …")
    venv.create(home, with_pip=True, clear=True)
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", *packages],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        console.print(f"{name} does not install here: {done.stderr.strip()[-200:]}")
        return None
    (home / "done").touch()
    return python
