"""Three hundred pages on three hundred channels, a message a second each.

`STATUS2_LOAD_SECONDS` sets how long (5 by default).
"""

import asyncio
import json
import os
import time

import pytest
import redis.asyncio
from websockets.asyncio.client import connect

PAGES = 300
SECONDS = int(os.environ.get("STATUS2_LOAD_SECONDS", "5"))


async def _receive(page, latencies):
    """Takes one page's messages; they must be there all, once, and in order."""
    for number in range(SECONDS):
        while True:
            message = json.loads(await asyncio.wait_for(page.recv(), 30))
            if message["type"] == "status":
                break
            await page.send('{"type":"pong"}')
        sent, counted = message["data"].split()
        latencies.append(time.monotonic() - float(sent))
        assert int(counted) == number


async def _publish(client):
    begun = time.monotonic()
    for number in range(SECONDS):
        for index in range(PAGES):
            due = begun + number + index / PAGES
            await asyncio.sleep(max(0, due - time.monotonic()))
            assert await client.publish(f"run{index}:load", f"{time.monotonic()} {number}") == 1


async def _run(daemon, server):
    latencies = []
    pages = [
        await connect(f"ws://{daemon.address}/run{index}:load", compression=None)
        for index in range(PAGES)
    ]
    client = redis.asyncio.Redis(host="127.0.0.1", port=server.port)
    await asyncio.gather(_publish(client), *(_receive(page, latencies) for page in pages))
    await asyncio.gather(*(page.close() for page in pages))
    await client.aclose()
    return sorted(latencies)


@pytest.mark.load
@pytest.mark.timeout(120 + 2 * SECONDS)
def test_nothing_is_lost_reordered_or_late(start_daemon, redis, capsys):
    daemon = start_daemon(redis)
    latencies = asyncio.run(_run(daemon, redis))
    assert len(latencies) == PAGES * SECONDS
    assert daemon.metric("messages_forwarded_total") == PAGES * SECONDS
    assert daemon.metric("redis_reconnects_total") == daemon.metric("slow_clients_total") == 0
    shares = {share: 1000 * latencies[int(share * len(latencies)) - 1] for share in (0.5, 0.95, 1)}
    with capsys.disabled():
        print(f"\n{len(latencies)} messages, milliseconds from publish to receipt: "
              + ", ".join(f"{share:.0%} {value:.2f}" for share, value in shares.items()))
    assert shares[0.95] < 50
