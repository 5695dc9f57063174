"""The servers that the pages of docs/ speak of, one function for each of their scenarios."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import redis

from demo.servers import Server
from tests.stage.certificates import Authority
from tests.stage.clusters import Cluster
from tests.stage.replicas import ReplicatedPair
from tests.stage.sentinel_groups import SentinelGroup
from tests.stage.servers import NewServer, binary
from tests.stage.tls_clusters import TlsCluster

ACL = Path(__file__).parents[2] / "deploy" / "acl"


@dataclass
class Stage:
    """What stands in the place of the documents' hosts and files.

    Attributes:
        hosts: What a document writes, and what to write instead.
        files: Names of the files in `directory` that commands may name.
        closing: Stops what a scenario has started.
    """

    directory: Path
    new_server: NewServer
    closing: ExitStack
    hosts: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)

    def put(self, name: str, content: str | bytes) -> None:
        """Write a file that commands may name."""
        (self.directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        self.files.add(name)


def _at(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


def _one_server(stage: Stage) -> None:
    stage.hosts["redis.example:6379"] = _at(stage.new_server("redis7"))


def _unix_socket(stage: Stage) -> None:
    server = stage.new_server("redis7")
    stage.hosts |= {"redis.example:6379": _at(server), "/run/redis/redis.sock": str(server.socket_path)}


def _tls(stage: Stage, *, clients: str = "no") -> None:
    authority = Authority(stage.directory)
    directives = authority.directives(authority.issue("server", "127.0.0.1"), clients=clients)
    stage.put("ca.pem", authority.file.read_bytes())
    for name in ("a", "b"):
        own = authority.issue(name)
        stage.files |= {own.file.name, own.key_file.name}
    stage.hosts["redis.example:6380"] = _at(stage.new_server("redis7", *directives, tls=True))


def _client_certificates(stage: Stage) -> None:
    _tls(stage, clients="yes")


def _password(stage: Stage) -> None:
    stage.put("password.txt", "secret\n")
    stage.hosts["redis.example:6379"] = _at(stage.new_server("redis7", "--requirepass", "secret"))


def _password_in_url(stage: Stage) -> None:
    stage.put("url.txt", "redis://:s%40cret@redis.example:6379/0\n")
    stage.hosts["redis.example:6379"] = _at(stage.new_server("redis7", "--requirepass", "s@cret"))


def _acl_users(stage: Stage) -> None:
    rules = [(ACL / f"{name}.acl").read_text().replace("CHANGE-ME", f"secret-{name[-1]}") for name in _PROGRAMS]
    stage.put("users.acl", "".join(rules) + "user default off\n")
    for letter in ("a", "b"):
        stage.put(f"password-{letter}.txt", f"secret-{letter}\n")
    server = stage.new_server("redis7", "--aclfile", str(stage.directory / "users.acl"))
    stage.hosts["redis.example:6379"] = _at(server)


_PROGRAMS = ("server-a", "server-b")


def _sentinel(stage: Stage) -> None:
    group = SentinelGroup(binary("valkey9"))
    stage.closing.callback(group.stop)
    group.start()
    for number, sentinel in enumerate(group.sentinels, start=1):
        stage.hosts[f"sentinel{number}.example"] = _at(sentinel)
    stage.hosts["replica.example:6379"] = _at(group.replica())


def _sentinel_logins(stage: Stage) -> None:
    _sentinel(stage)
    stage.put("password.txt", "secret\n")
    for host in [host for host in stage.hosts if host.startswith("sentinel")]:
        with redis.Redis.from_url(f"redis://{stage.hosts[host]}") as client:
            client.execute_command("ACL", "SETUSER", "asker", "on", ">secret", "-@all", "+sentinel|masters")
            client.execute_command("ACL", "SETUSER", "default", "resetpass", ">secret-of-an-admin")


def _cluster(stage: Stage) -> None:
    cluster = Cluster(binary("valkey9"))
    stage.closing.callback(cluster.stop)
    cluster.start()
    stage.hosts |= {"node1.example:6379": _at(cluster.nodes[0]), "node2.example:6379": _at(cluster.nodes[-1])}


def _tls_cluster(stage: Stage) -> None:
    authority = Authority(stage.directory)
    stage.put("ca.pem", authority.file.read_bytes())
    cluster = stage.closing.enter_context(TlsCluster(binary("redis7"), authority, "localhost"))
    stage.hosts["node1.example:6380"] = f"localhost:{cluster.nodes[0].port}"


def _replica(stage: Stage) -> None:
    pair = stage.closing.enter_context(ReplicatedPair(binary("valkey9")))
    stage.hosts |= {"redis.example:6379": _at(pair.primary), "replica.example:6379": _at(pair.replica)}


SCENARIOS: dict[str, Callable[[Stage], None]] = {
    "check": _replica,
    "one-server": _one_server,
    "tls": _tls,
    "client-certificates": _client_certificates,
    "password-in-variable": _password,
    "password-in-file": _password,
    "password-in-url": _password_in_url,
    "acl-users": _acl_users,
    "sentinel": _sentinel,
    "sentinel-logins": _sentinel_logins,
    "sentinel-and-replica": _sentinel,
    "cluster": _cluster,
    "tls-cluster": _tls_cluster,
    "replica": _replica,
    "unix-socket": _unix_socket,
}
