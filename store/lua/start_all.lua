-- start_all: give every fetched run its slot and lease, or none: what most calls need. Whatever has to be
-- judged by itself is left to start.
-- KEYS[1] events (stream)  KEYS[2] stream (stream)  KEYS[3] running (hash)  KEYS[4] leases (zset)
-- KEYS[5] removed (zset)  KEYS[6] waiting (set)  KEYS[7] paused_executors (hash)
-- then slots:<slot> (string), each once: first those with room for one run that get one
-- ARGV[1] entries kept in events  ARGV[2] group  ARGV[3] consumer  ARGV[4] owner  ARGV[5] lease, ms
-- ARGV[6] executor  ARGV[7] until when all runs are within their grace, ms, or ''  ARGV[8] how many texts
--   their events are  ARGV[9] entries  ARGV[10] messages  ARGV[11] slots with room for one  ARGV[12] uids of the jobs,
--   with a space between two
-- then the events, a text for each entry of the log; entry ids in order, ids of the first runs, what follows owner and start in their values of running;
--   per slot with room for more: how many may hold it before, how many get it now
-- Returns {now, STARTED | PAUSED (the executor is: nothing was done) | EACH (nothing was done: ask start)}.
local TIME, entries, n = redis.call('TIME'), tonumber(ARGV[9]), tonumber(ARGV[10])
local now = TIME[1] * 1000 + math.floor(TIME[2] / 1000)
local stamp, till = string.format('%.0f', now), string.format('%.0f', now + ARGV[5])
local texts = 12 + ARGV[8] -- the last of them
local last, mine = texts + entries, {}
for _, p in ipairs(redis.call('XPENDING', KEYS[2], ARGV[2], ARGV[texts + 1], ARGV[last], entries + 1000, ARGV[3])) do
  mine[p[1]] = true
end
for i = texts + 1, last do
  if not mine[ARGV[i]] then return {stamp, 'EACH'} end
end
if redis.call('HEXISTS', KEYS[7], ARGV[6]) == 1 then return {stamp, 'PAUSED'} end
if ARGV[7] ~= '' and now > tonumber(ARGV[7]) then return {stamp, 'EACH'} end
local values = redis.call('HMGET', KEYS[3], unpack(ARGV, last + 1, last + n))
for i = 1, n do
  if values[i] then return {stamp, 'EACH'} end
end
local more, counts, ones, single = last + 2 * n, {}, {}, tonumber(ARGV[11])
if #KEYS > 7 + single then
  for i, held in ipairs(redis.call('MGET', unpack(KEYS, 8 + single))) do
    held = tonumber(held or '0')
    if not held or held > tonumber(ARGV[more + 1]) then return {stamp, 'EACH'} end
    counts[2 * i - 1], counts[2 * i], more = KEYS[7 + single + i], held + ARGV[more + 2], more + 2
  end
end
for i = 1, single do ones[2 * i - 1], ones[2 * i] = KEYS[7 + i], '1' end
local lines, removals = redis.call('SCARD', KEYS[6]) > 0, redis.call('ZCARD', KEYS[5])
if removals > 0 and removals <= 8 then -- few uids were removed: look whether one is among those here
  for _, uid in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1)) do
    if uid ~= '' and string.find(ARGV[12], uid, 1, true) then return {stamp, 'EACH'} end
  end
elseif removals > 0 then
  for uid in string.gmatch(ARGV[12], '%S+') do
    if redis.call('ZSCORE', KEYS[5], uid) then return {stamp, 'EACH'} end
  end
end
local head, holds, leases = ARGV[4] .. '\t' .. stamp .. '\t', {}, {}
for i = 1, n do
  local id, rest = ARGV[last + i], ARGV[last + n + i]
  if lines and redis.call('SISMEMBER', KEYS[6], string.match(rest, '\t([^\t]*)')) == 1 then return {stamp, 'EACH'} end
  holds[2 * i - 1], holds[2 * i] = id, head .. rest
  leases[2 * i - 1], leases[2 * i] = till, id
end
-- The last check is a write if it holds: whether nobody has the slots with room for one.
if single > 0 and redis.call('MSETNX', unpack(ones)) == 0 then return {stamp, 'EACH'} end
redis.call('HSET', KEYS[3], unpack(holds))
-- A member of more than 64 bytes makes a sorted set one of lists that skip, which it stays: without, each
-- lease would be looked for and put in along up to 128 others.
local long = n >= 8 and string.rep('-', 65)
if long then leases[2 * n + 1], leases[2 * n + 2], leases[1], leases[2] = leases[1], leases[2], till, long end
redis.call('ZADD', KEYS[4], unpack(leases))
if long then redis.call('ZREM', KEYS[4], long) end
if #counts > 0 then redis.call('MSET', unpack(counts)) end
redis.call('XACK', KEYS[2], ARGV[2], unpack(ARGV, texts + 1, last))
redis.call('XDEL', KEYS[2], unpack(ARGV, texts + 1, last))
for i = 13, texts do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i]) end
return {stamp, 'STARTED'}
