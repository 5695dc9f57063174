"""Passes connections on to the nodes of the cluster, at their data ports alone: `gate.py NODE:PORT …`.

A node listens at the same addresses for clients and for the cluster bus, which believes whoever reaches it. So the
nodes have a network of their own, and A and B reach this program, which listens at the ports that the nodes announce.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial

CHUNK_BYTES = 256 * 1024


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # the other side gets to know it by the end of its connection
    finally:
        writer.close()


async def _pass_on(host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        from_node, to_node = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, to_node), _copy(from_node, writer))


async def _serve(nodes: list[str]) -> None:
    servers = []
    for node in nodes:
        host, _, port = node.partition(":")
        servers.append(await asyncio.start_server(partial(_pass_on, host, int(port)), port=int(port)))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
