"""What Azure Managed Redis answers under each clustering policy, from servers set up to answer the same way.

No live instance was at hand; docs/azure.md says which parts ran only here. All of it is TLS with a key, database 0
alone, FLUSH and CONFIG refused. Redis can't call itself standalone in a cluster, as a proxy may: HELLO is taken away.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from shared.endpoint.opening import open_endpoint
from shared.endpoint.settings import EndpointSettings
from shared.endpoint.url import parse_url
from shared.keys import Keyspace
from tests.stage.certificates import Authority
from tests.stage.programs import Name, run_program
from tests.stage.raw import call
from tests.stage.runs import require_exact
from tests.stage.sentences import require_sentence
from tests.stage.servers import NewServer, binary
from tests.stage.tls_clusters import TlsCluster

pytestmark = [pytest.mark.cluster, pytest.mark.redis_server]

KEY = "an-access-key-of-44-characters-made-for-this="
WITH_KEY = {"SERVER_A_PASSWORD": KEY, "SERVER_B_PASSWORD": KEY}
LIMITS = ("resetpass", f">{KEY}", "-flushall", "-flushdb", "-config", "-acl", "-debug", "-shutdown", "-replicaof")
OTHERS = (
    ("user", "list"),
    ("cart", "add", "1", "sku123", "--quantity", "2"),
    ("status",),
    ("check",),
    ("purge", "--yes", "--shop"),
)


@pytest.fixture
def redis7() -> Path:
    """A server built with TLS."""
    return binary("redis7")


def hand_over(url: str, trust: tuple[str, str]) -> None:
    """Hand a list of several segments over, verified, and then what else server-a does."""
    run = ("run", "--json", "--count", "50000", "--segment-values", "5000", "--users", "1500", *trust)
    produced = run_program("server-a", *run, server=url, env=WITH_KEY)
    assert produced.exit_code == 0, produced.stderr
    options = ("run", "--once", "--json", "--wait-s", "30", *trust)
    consumed = run_program("server-b", *options, server=url, env=WITH_KEY)
    assert consumed.exit_code == 0, consumed.stderr
    require_exact(produced.json(), consumed.json())
    for command in OTHERS:
        ended = run_program("server-a", *command, *trust, server=url, env=WITH_KEY)
        assert ended.exit_code == 0, (command, ended)


@pytest.mark.slow
def test_the_oss_policy(redis7: Path, authority: Authority, trust: tuple[str, str]) -> None:
    """The nodes announce addresses that their certificate does not name; the given host name is kept."""
    with TlsCluster(redis7, authority, "localhost") as cluster:
        url = cluster.url("localhost")
        settings = EndpointSettings(url=parse_url(url), tls_ca=str(authority.file))
        with closing(open_endpoint(settings)) as endpoint:
            nodes = {endpoint.node_of(Keyspace().segment(number)).lower() for number in range(1, 50)}
        assert sorted(nodes) == cluster.addresses("localhost")
        ended = run_program("server-a", "run", "--count", "9", "--segment-values", "1", *trust, server=url)
        assert ended.exit_code == 0, ended.stderr
        assert all(cluster.segments_of(node) for node in cluster.nodes)
        cluster.limit(*LIMITS)
        hand_over(url, trust)


def test_the_oss_policy_by_address_is_not_verified(redis7: Path, authority: Authority, trust: tuple[str, str]) -> None:
    with TlsCluster(redis7, authority, "localhost") as cluster:
        ended = run_program("server-a", "run", *trust, server=cluster.url("127.0.0.1"))
    require_sentence(ended, 77, "certificate is not valid for '127.0.0.1'", "write a host name")


@pytest.mark.slow
def test_nodes_that_the_certificate_names_keep_their_addresses(
    redis7: Path, authority: Authority, trust: tuple[str, str]
) -> None:
    with TlsCluster(redis7, authority, "localhost", "127.0.0.1") as cluster:
        settings = EndpointSettings(url=parse_url(cluster.url("localhost")), tls_ca=str(authority.file))
        with closing(open_endpoint(settings)) as endpoint:
            nodes = {endpoint.node_of(Keyspace().segment(number)) for number in range(1, 50)}
        assert sorted(nodes) == cluster.addresses("127.0.0.1")
        cluster.limit(*LIMITS)
        hand_over(cluster.url("localhost"), trust)


@pytest.mark.slow
def test_a_cluster_that_does_not_call_itself_one(redis7: Path, authority: Authority, trust: tuple[str, str]) -> None:
    """What HELLO says is not the whole truth where a proxy answers it."""
    with TlsCluster(redis7, authority, "localhost", arguments=("--rename-command", "HELLO", "")) as cluster:
        cluster.limit(*LIMITS)
        hand_over(cluster.url("localhost"), trust)


@pytest.mark.slow
def test_the_enterprise_policy(redis7: Path, authority: Authority, trust: tuple[str, str]) -> None:
    """One endpoint for all slots, CLUSTER refused; a transaction over several slots is answered with CROSSSLOT."""
    no_hello = ("--rename-command", "HELLO", "")
    with TlsCluster(redis7, authority, "localhost", primaries=1, arguments=no_hello) as cluster:
        cluster.limit(*LIMITS, "-cluster")
        hand_over(cluster.url("localhost"), trust)


@pytest.mark.parametrize("program", ["server-a", "server-b"])
def test_a_node_that_does_not_say_where_the_others_are(
    redis7: Path, authority: Authority, trust: tuple[str, str], program: Name
) -> None:
    """MOVED, answered to a plain client."""
    no_hello = ("--rename-command", "HELLO", "")
    with TlsCluster(redis7, authority, "localhost", arguments=no_hello) as cluster:
        away = next(node for node in cluster.nodes if not _holds(cluster, "signals", node.port))
        cluster.limit("-cluster")
        once = ("--once",) if program == "server-b" else ()
        ended = run_program(program, "run", *once, *trust, server=f"rediss://localhost:{away.port}")
    assert ended.exit_code == 78, ended
    assert "expected the keys on this node, got" in ended.stderr
    assert "Traceback" not in ended.stderr


def _holds(cluster: TlsCluster, key: str, port: int) -> bool:
    slot = call(cluster.nodes[0], "CLUSTER", "KEYSLOT", key)
    slots = call(cluster.nodes[0], "CLUSTER", "SLOTS")
    return any(first <= slot <= last and holder[1] == port for first, last, holder in slots)


@pytest.mark.slow
def test_no_clustering(new_server: NewServer, authority: Authority, trust: tuple[str, str]) -> None:
    directives = authority.directives(authority.issue("server", "localhost"))
    server = new_server("redis7", *directives, "--databases", "1", tls=True)
    call(server, "ACL", "SETUSER", "default", *LIMITS)
    hand_over(f"rediss://localhost:{server.port}", trust)


@pytest.mark.parametrize("database", [1, 15])
def test_there_is_database_0_alone(
    new_server: NewServer, authority: Authority, trust: tuple[str, str], database: int
) -> None:
    directives = authority.directives(authority.issue("server", "localhost"))
    server = new_server("redis7", *directives, "--databases", "1", tls=True)
    ended = run_program("server-a", "run", *trust, server=f"rediss://localhost:{server.port}/{database}")
    require_sentence(ended, 78, "expected a database it has", "leave it off the URL")


def test_a_cluster_has_database_0_alone(redis7: Path, authority: Authority, trust: tuple[str, str]) -> None:
    with TlsCluster(redis7, authority, "localhost") as cluster:
        ended = run_program("server-a", "run", *trust, server=f"{cluster.url('localhost')}/1")
    require_sentence(ended, 78, "database", "leave it off the URL")
