"""What sessions cost the server: imports, first paint, twenty people at once, hundreds of visits.

    python -m tests.benchmarks.sessions --sessions 20 --seconds 30 --visits 500

Sessions speak Bokeh's own protocol over a websocket, as a browser does. A drag asks nothing of the server until the
slider is let go, so every session lets one go once a second, more often than a person would; timed is from the message
that tells it to the answer with the server's own spectrum, waiting included. Visits open the page, wait until the model
is in view, and leave. Memory is that of the server's process (RSS).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.benchmarks.slider_latency import prepare
from tests.browser import CHROMIUM, FLAGS, Server, launch

TOKEN = re.compile(r'"token":"([^"]+)"')
PLAYER = "LatentPlayer"
IMPORTS = ("bokeh", "panel", "panel_material_ui", "pandas", "scipy", "sklearn", "pyarrow", "pymatgen", "typer", "torch")
DRAWN = {"kind": "MessageSent", "msg_type": "bokeh_event",
         "msg_data": {"type": "event", "name": "document_ready", "values": {"type": "map", "entries": []}}}  # fmt: skip
EXPIRY_MS = 1000
SETTLING_S = 6


class Visitor:
    """One session at the server, with the latent player in view."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._player = ""
        self._messages: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, server: Server) -> Visitor:
        """Loads the page, connects, and waits until a model is in view."""
        page = await AsyncHTTPClient().fetch(f"{server.url}?tab=Latent", request_timeout=120)
        token = TOKEN.search(page.body.decode())
        assert token is not None, "the page has no session"
        url = f"{server.url.replace('http', 'ws')}/ws"
        origin = HTTPRequest(url, headers={"Origin": server.url.rpartition("/")[0]})
        visitor = cls(await websocket_connect(origin, subprotocols=["bokeh", token[1]], max_message_size=2**30))
        await visitor.message("ACK")
        await visitor.send("PULL-DOC-REQ", {})
        document = (await visitor.message("PULL-DOC-REPLY"))["doc"]
        visitor._player, ready = find_player(document)
        await visitor.send("PATCH-DOC", {"events": [DRAWN]})
        while not ready:
            ready = any(event.get("attr") == "member" and event["new"] for event in await visitor.changes())
        return visitor

    async def message(self, kind: str) -> dict[str, Any]:
        """The content of the next message of a kind."""
        while True:
            found, content = await self._messages.get()
            if found == kind:
                return content

    async def changes(self) -> list[dict[str, Any]]:
        """The next changes of the player that the server makes."""
        events = (await self.message("PATCH-DOC"))["events"]
        return [event for event in events if event.get("model", {}).get("id") == self._player]

    async def send(self, kind: str, content: dict[str, Any]) -> None:
        header = {"msgid": os.urandom(8).hex(), "msgtype": kind}
        for part in (header, {}, content):
            await self._connection.write_message(json.dumps(part))

    async def let_go(self, point: list[float]) -> float:
        """Seconds from telling the server a latent point to its own spectrum there."""
        began = time.perf_counter()
        event = {"kind": "ModelChanged", "model": {"id": self._player}, "attr": "latent", "new": point}
        await self.send("PATCH-DOC", {"events": [event]})
        while not any(
            e.get("attr") == "check" and e["new"]["latent"] == point for e in map(plain, await self.changes())
        ):
            pass
        return time.perf_counter() - began

    def close(self) -> None:
        self._reader.cancel()
        self._connection.close()

    async def _read(self) -> None:
        """Takes messages as they come: a server waits for those who do not."""
        read = self._connection.read_message
        while (frame := await read()) is not None:
            header, _, content = json.loads(frame), await read(), json.loads(await read() or "{}")
            for _ in range(2 * header.get("num_buffers", 0)):
                await read()
            self._messages.put_nowait((header["msgtype"], content))


def plain(event: dict[str, Any]) -> dict[str, Any]:
    """An event with maps and arrays of Bokeh's encoding as dictionaries."""
    return {**event, "new": decoded(event.get("new"))}


def decoded(value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") == "map":
        return {decoded(key): decoded(item) for key, item in value.get("entries", [])}
    return [decoded(item) for item in value] if isinstance(value, list) else value


def find_player(value: Any) -> tuple[str, bool]:
    """Id of the data of the latent player in a document, and whether it has a member already."""
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            if str(one.get("name", "")).startswith(PLAYER) and "id" in one:
                return one["id"], bool(decoded(one.get("attributes", {}).get("member")))
            stack += one.values()
        elif isinstance(one, list):
            stack += one
    raise AssertionError("no latent player on the page")


def memory_mb(server: Server) -> float:
    """Resident memory of the server's process."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def processor_s(server: Server) -> float:
    """Processor time that the server's process has taken."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def drag_together(server: Server, sessions: int, seconds: float) -> None:
    warm = await Visitor.open(server)
    before = memory_mb(server)
    visitors = [await Visitor.open(server) for _ in range(sessions)]
    await asyncio.sleep(SETTLING_S)
    opened = memory_mb(server)
    rng = np.random.default_rng(0)
    ends = time.monotonic() + seconds

    async def drag(visitor: Visitor, wait: float) -> list[float]:
        taken = []
        await asyncio.sleep(wait)
        while time.monotonic() < ends:
            began = time.monotonic()
            taken.append(await visitor.let_go([*rng.uniform(-1, 1, 6).round(3).tolist()]))
            await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))
        return taken

    busy = processor_s(server)
    each = await asyncio.gather(*(drag(visitor, place / sessions) for place, visitor in enumerate(visitors)))
    times = 1000 * np.concatenate(each)
    say(f"{sessions} sessions, each letting a slider go once a second",
        f"n {times.size}  median {np.median(times):.1f} ms  p95 {np.quantile(times, 0.95):.1f} ms")  # fmt: skip
    say("server's processor time per release", f"{1000 * (processor_s(server) - busy) / times.size:.0f} ms")
    say("memory per session", f"{(opened - before) / sessions:.2f} MB (server {opened:.0f} MB)")
    for visitor in [warm, *visitors]:
        visitor.close()


async def come_and_go(server: Server, visits: int) -> None:
    marks: dict[int, float] = {}
    for visit in range(1, visits + 1):
        (await Visitor.open(server)).close()
        if visit % max(visits // 10, 1) == 0:
            await asyncio.sleep(SETTLING_S)
            marks[visit] = memory_mb(server)
            say(f"server after {visit} visits", f"{marks[visit]:.0f} MB")
    places, values = np.array(list(marks)), np.array(list(marks.values()))
    half = places >= visits / 2
    slope = np.polyfit(places[half], values[half], 1)[0] if half.sum() > 1 else np.nan
    say("growth over the second half", f"{1024 * slope:.1f} kB per visit")


def first_paint(server: Server, visits: int = 9) -> None:
    """Time from the start of the navigation to the first frame with the decoded spectrum, in a warm server."""
    from playwright.sync_api import sync_playwright

    script = """() => new Promise(done => {
        const find = root => [...root.querySelectorAll("*")].some(e =>
            e.matches(".chart path.now[d^=M]") || (e.shadowRoot && find(e.shadowRoot)))
        const look = () => find(document) ? requestAnimationFrame(() => done(performance.now())) : setTimeout(look, 15)
        look()
    })"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        rows = []
        for _ in range(visits + 1):
            page = context.new_page()
            page.goto(f"{server.url}?tab=Latent", wait_until="commit")
            painted = page.evaluate(script)
            timing = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
            rows.append((timing["responseStart"], timing["domContentLoadedEventEnd"], painted))
            page.close()
            time.sleep(SETTLING_S)  # until the server has cleared the session away
        browser.close()
    html, loaded, painted = np.median(rows[1:], axis=0) / 1000
    say("first spectrum painted, warm, median", f"{painted:.2f} s (page made {html:.2f}, scripts run {loaded:.2f})")


def imports() -> None:
    """Processor time of the server's import, and of the packages in it that take most."""
    code = "import explorer.app, resource; u = resource.getrusage(0); print(u.ru_utime + u.ru_stime)"
    runs = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)]
    say("server import, processor time, best of 3", f"{min(runs):.2f} s")
    traced = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import explorer.app"], capture_output=True, text=True
    )
    inside = dict.fromkeys(IMPORTS, 0.0)
    for line in traced.stderr.splitlines():
        own, _, name = line.removeprefix("import time:").split("|") if line.count("|") == 2 else ("", "", "")
        package = name.strip().partition(".")[0]
        if package in inside and own.strip().isdigit():
            inside[package] += int(own) / 1e6
    most = sorted(inside.items(), key=lambda item: -item[1])
    say("of that, a package's own modules", ", ".join(f"{name} {s:.2f}" for name, s in most if s >= 0.01))


def say(what: str, found: str) -> None:
    print(f"{what:56s} {found}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30, help="how long they drag")
    parser.add_argument("--visits", type=int, default=500)
    parser.add_argument("--part", choices=("all", "imports", "paint", "drag", "visits"), default="all")
    arguments = parser.parse_args()
    wanted = ("imports", "paint", "drag", "visits") if arguments.part == "all" else (arguments.part,)
    if "imports" in wanted:
        imports()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder / "workspace", seeds=2)
        quick = ("--unused-session-lifetime", str(EXPIRY_MS), "--check-unused-sessions", str(EXPIRY_MS))
        server = launch(folder, folder / "workspace", options=quick)
        try:
            if "paint" in wanted:
                first_paint(server)
            if "drag" in wanted:
                asyncio.run(drag_together(server, arguments.sessions, arguments.seconds))
            if "visits" in wanted:
                asyncio.run(come_and_go(server, arguments.visits))
            assert server.complaints() == [], server.complaints()[:3]
        finally:
            server.stop()


if __name__ == "__main__":
    main()
