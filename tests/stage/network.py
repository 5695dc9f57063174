"""Hosts with addresses of their own, joined by a switch that has a namespace to itself.

So neither this machine's firewall nor a container engine stands between them, and nothing of it is touched.
"""

from __future__ import annotations

import socket
import struct
from contextlib import AbstractContextManager
from pathlib import Path

from tests.stage.namespaces import NetworkNamespace

_SUBNET = "10.77.41"
_INTERFACE = "eth0"
_ETHERTYPE_ARP = 0x0806


class Host:
    """One host: an address, a cable to the switch, a firewall.

    Attributes:
        address: Its own.
    """

    def __init__(self, switch: NetworkNamespace, number: int) -> None:
        """Make the host and plug it in.

        Args:
            switch: Where the other end of its cable goes.
            number: Last part of its address; unique on the switch.

        Raises:
            OSError: It can't be made here.
        """
        self.address = f"{_SUBNET}.{number}"
        self._switch = switch
        self._plug = f"port{number}"
        self._namespace = NetworkNamespace()
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    def _set_up(self) -> None:
        switch = self._switch
        peer = ("peer", "name", _INTERFACE, "netns", self._namespace.path)
        switch.run("ip", "link", "add", self._plug, "type", "veth", *peer)
        switch.run("ip", "link", "set", self._plug, "master", "switch", "up")
        self._namespace.run("ip", "link", "set", "lo", "up")
        self._namespace.run("ip", "link", "set", _INTERFACE, "up")
        self.add_address(self.address)
        with self._namespace.entered():
            # an announcement counts even when the address was asked for less than a second ago
            Path(f"/proc/sys/net/ipv4/neigh/{_INTERFACE}/locktime").write_text("0", "ascii")

    def inside(self) -> AbstractContextManager[None]:
        """Be on this host for the time of a `with`; see `NetworkNamespace.entered`."""
        return self._namespace.entered()

    def pull_cable(self) -> None:
        """Pull the cable at the switch: nothing leaves or reaches the host, and nobody is told."""
        self._switch.run("ip", "link", "set", self._plug, "down")

    def plug_in(self) -> None:
        """Put the cable back."""
        self._switch.run("ip", "link", "set", self._plug, "up")

    def drop_requests(self, port: int) -> None:
        """Silently drop what this host sends to a port."""
        self._drop("OUTPUT", "-p", "tcp", "--dport", str(port))

    def drop_replies(self, port: int) -> None:
        """Silently drop what a port sends to this host; what was asked of it is carried out all the same."""
        self._drop("INPUT", "-p", "tcp", "--sport", str(port))

    def drop_all_of(self, other: Host) -> None:
        """Silently drop everything between this host and another one."""
        self._drop("INPUT", "-s", other.address)
        self._drop("OUTPUT", "-d", other.address)

    def slow_down(self, bytes_per_s: int) -> None:
        """Let no more than this leave the host in a second, whatever it was before."""
        bucket = ("tbf", "rate", f"{bytes_per_s * 8}bit", "burst", "64kb", "latency", "400ms")
        self._namespace.run("tc", "qdisc", "replace", "dev", _INTERFACE, "root", *bucket)

    def speed_up(self) -> None:
        """Let it send as fast as it can again."""
        self._namespace.run("tc", "qdisc", "del", "dev", _INTERFACE, "root")

    def drop_nothing(self) -> None:
        """Let everything through again."""
        self._namespace.run("iptables", "-F")

    def _drop(self, chain: str, *match: str) -> None:
        self._namespace.run("iptables", "-A", chain, *match, "-j", "DROP")

    def add_address(self, address: str) -> None:
        """Give the host another address."""
        self._namespace.run("ip", "address", "add", f"{address}/24", "dev", _INTERFACE)

    def remove_address(self, address: str) -> None:
        """Take an address away."""
        self._namespace.run("ip", "address", "del", f"{address}/24", "dev", _INTERFACE)

    def announce(self, address: str) -> None:
        """Tell all hosts that an address is here now, as a failover manager does: a gratuitous ARP request.

        Source:
            RFC 5227, section 3.
        """
        with (
            self._namespace.entered(),
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE_ARP)) as link,
        ):
            link.bind((_INTERFACE, 0))
            own: bytes = link.getsockname()[4]
            packed = socket.inet_aton(address)
            header = b"\xff" * 6 + own + struct.pack("!H", _ETHERTYPE_ARP)
            link.send(header + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + own + packed + b"\0" * 6 + packed)

    def close(self) -> None:
        """Let the host go."""
        self._namespace.close()


class Network:
    """A switch and the hosts on it."""

    def __init__(self) -> None:
        """Make the switch.

        Raises:
            OSError: Namespaces can't be made here, or a program for it lacks.
        """
        self._switch = NetworkNamespace()
        self._hosts: list[Host] = []
        try:
            self._switch.run("ip", "link", "add", "switch", "type", "bridge")
            self._switch.run("ip", "link", "set", "switch", "up")
        except BaseException:
            self.close()
            raise

    def add_host(self, number: int) -> Host:
        """Plug in a host with an address that ends in this number."""
        host = Host(self._switch, number)
        self._hosts.append(host)
        return host

    def address(self, number: int) -> str:
        """Return an address of this network, which no host has yet."""
        return f"{_SUBNET}.{number}"

    def close(self) -> None:
        """Remove everything; a host on which something still runs goes when that ends."""
        for host in self._hosts:
            host.close()
        self._switch.close()
