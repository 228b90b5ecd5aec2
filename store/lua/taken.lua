-- taken: what start begins with after lib; not a script of its own. It reads what a call of start
-- brings (its head says how), which of the entries are pending here, and what Redis knows of the runs:
-- values of running by message, and counters by key of the slot. What start lets run is written by flush,
-- once per call; until then busy counts it.
local entries, ids, mine, owner = tonumber(ARGV[10]), {}, {}, ARGV[7]
for i = 1, entries do ids[i] = ARGV[8 + 3 * i] end
for _, p in ipairs(redis.call('XPENDING', KEYS[3], ARGV[5], ids[1], ids[entries], entries + 1000, ARGV[6])) do
  mine[p[1]] = true
end
local at, messages, runs, slots = 11 + 3 * entries, {}, {}, {}
for i = 1, entries do
  for _ = 1, tonumber(ARGV[9 + 3 * i]) do
    local n, m = #messages + 1, parse(ARGV[at])
    m.entry, m.owned, m.key, m.id, m.sched = i, mine[ids[i]], 6 + 4 * n, first(m)
    messages[n], runs[n], slots[n] = m, m.id, KEYS[m.key]
    at = at + 1
  end
end
local values, busy, begun = {}, {}, {}
if #messages > 0 then
  values = redis.call('HMGET', KEYS[4], unpack(runs))
  for i, n in ipairs(redis.call('MGET', unpack(slots))) do busy[slots[i]] = counter(n) end
end
-- resent finds a run that an earlier sending of this call started; those before it were missed.
local function resent(m)
  local n = 0
  for id in string.gmatch(runsOf(m), '([^@,]+)@%-?%d+@') do
    local value = redis.call('HGET', KEYS[4], id)
    if value and held(value).owner == owner and not begun[id] then return 'STARTED', n end
    n = n + 1
  end
  return 'GONE', 0
end
local lines, removals = redis.call('SCARD', KEYS[7]) > 0, redis.call('ZCARD', KEYS[6]) > 0
local paused = #messages > 0 and redis.call('HEXISTS', KEYS[8], ARGV[9]) == 1
local holds, leases, counts, till = {}, {}, {}, ms(now + ARGV[8])
local function flush()
  if #holds == 0 then return end
  redis.call('HSET', KEYS[4], unpack(holds))
  redis.call('ZADD', KEYS[5], unpack(leases))
  if #counts > 0 then redis.call('MSET', unpack(counts)) end
  holds, leases, counts = {}, {}, {}
end
