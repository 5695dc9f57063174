"""What has to be decided and done at once on the server, and no transaction can: MULTI can't look before it acts."""

from __future__ import annotations

from enum import IntEnum

# Changes an entry's claim only while the entry is still ours: XCLAIM alone would take it back from whoever claimed it.
# Where other processes may have our name, only while its token is ours: their entries look like ours. A full server
# takes no token, neither ours nor anybody's: the entry's claim, which needs no memory, is changed all the same.
# KEYS[1] signals stream [KEYS[2] the name's token] · ARGV group, consumer, entry id (empty: the name alone) [our token,
# token to set, its milliseconds], then options of XCLAIM · returns 2 if the process that had the name has ended, 3 if
# somebody else has put something of his own under the token's name
RENEW = """
local owner = KEYS[2] and redis.pcall('GET', KEYS[2])
if type(owner) == 'table' then
  if not string.find(owner.err, 'WRONGTYPE', 1, true) then return owner end
  owner = 'of another type'
end
if owner and owner ~= 'ended' and owner ~= ARGV[4] then
  return ARGV[3] == '' and not string.find(owner, '^%x+$') and 3 or 0
end
local kept = KEYS[2] and redis.pcall('SET', KEYS[2], ARGV[5], 'PX', ARGV[6])
if kept and kept.err and (ARGV[3] == '' or not string.find(kept.err, 'OOM', 1, true)) then return kept end
if ARGV[3] == '' then return owner == 'ended' and 2 or 1 end
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1, ARGV[2])
if #pending == 0 then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], unpack(ARGV, KEYS[2] and 7 or 4))
return 1
"""

# Removes a name that nothing is pending with: a bare DELCONSUMER throws away what was taken since somebody looked.
# KEYS[1] signals stream · ARGV group, consumer, milliseconds of silence · returns 1 if it removed the name; there
# is none where somebody has deleted the stream
REMOVE = """
local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then return string.find(consumers.err, 'no such key', 1, true) and 0 or consumers end
for _, found in ipairs(consumers) do
  local facts = {}
  for place = 1, #found, 2 do facts[found[place]] = found[place + 1] end
  if facts.name == ARGV[2] and facts.pending == 0 and facts.idle >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    return 1
  end
end
return 0
"""


class NameUse(IntEnum):
    """Whose a consumer name is, as the script tells."""

    OTHERS = 0  # of another process, which lives
    OURS = 1
    OURS_AFTER_ANOTHER = 2  # of another process until a moment ago, which has ended and said so
    FOREIGN = 3  # its key holds what no process of ours writes


ENDED = "ended"  # instead of a token: its process has ended; an empty text was rejected, for it may be anybody's
