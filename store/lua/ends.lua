-- ends: what finish begins with after lib; not a script of its own. It reads what a call of finish brings
-- (its head says how), and what Redis knows of it: values of running by run, and counters by key of the
-- slot.
local ends, ids, slots, at = {}, {}, {}, 6
while at <= #ARGV do
  local n, more = #ends + 1, ARGV[at + 4]
  local e = {id = ARGV[at], owner = ARGV[at + 1], event = ARGV[at + 2], row = ARGV[at + 3],
    slot = KEYS[10 + 2 * n], history = KEYS[11 + 2 * n]}
  at = at + 5
  if more ~= '' then
    e.dead = string.find(more, 'd', 1, true)
    if string.find(more, 'r', 1, true) then
      e.delay, e.retry, e.retrying, at = ARGV[at], ARGV[at + 1], ARGV[at + 2], at + 3
    end
    if string.find(more, 'n', 1, true) then e.next, at = ARGV[at], at + 1 end
  end
  ends[n], ids[n], slots[n] = e, e.id, e.slot
end
local values, counts = redis.call('HMGET', KEYS[3], unpack(ids)), {}
for i, n in ipairs(redis.call('MGET', unpack(slots))) do counts[slots[i]] = tonumber(n or '0') end
local removals, lines = redis.call('ZCARD', KEYS[5]) > 0, redis.call('SCARD', KEYS[9]) > 0
-- resent finds what an earlier sending of this call let follow.
local function resent(e)
  local n = 0
  for id in string.gmatch(runsOf(parse(e.next)), '([^@,]+)@%-?%d+@') do
    local value = redis.call('HGET', KEYS[3], id)
    if value and held(value).owner == e.owner then return 'NEXT ' .. n end
    n = n + 1
  end
  return 'REFUSED'
end
