"""redis-py's commands on a cluster, each sent once to the primary of its key's slot.

redis-py's own routing was rejected. It follows redirections, also to an address that was not remapped and that no
certificate names, and fails with an AttributeError where one leads to a node that has no slot yet; and it asks a node
that may be the dead one for the keys of every XREADGROUP. Here a redirection is an error like any other: whoever has
patience asks anew where the slot is.
"""

from __future__ import annotations

from redis.cluster import RedisCluster
from redis.crc import key_slot

_KEY_AFTER = {"XREAD": b"STREAMS", "XREADGROUP": b"STREAMS"}
_KEY_AT = {"EVAL": 3}


class RoutedCluster(RedisCluster):
    """What redis-py knows of a cluster, and our way of sending a command to it."""

    def execute_command(self, *arguments: str | bytes | float, **options: object) -> object:
        """Send a command with one key to the primary of its slot, once.

        Raises:
            redis.RedisError: The reply is an error, a redirection among them, or none came.
        """
        if len(arguments) == 1:  # COMMAND, which the constructor sends
            return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]
        node = self.nodes_manager.get_node_from_slot(key_slot(_key_of(arguments)))
        return self.get_redis_connection(node).execute_command(*arguments, **options)


def _key_of(arguments: tuple[str | bytes | float, ...]) -> bytes:
    """Return the key of one of the commands we send; redis-py gives `XGROUP CREATE` and its like as one argument."""
    texts = [part if isinstance(part, bytes) else str(part).encode() for part in arguments]
    name = texts[0].decode()
    return texts[texts.index(_KEY_AFTER[name]) + 1 if name in _KEY_AFTER else _KEY_AT.get(name, 1)]
