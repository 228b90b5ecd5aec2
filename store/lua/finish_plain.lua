-- finish_plain: end attempts after which nothing follows and that are not tried again: all, or none.
-- KEYS[3] running (hash)  KEYS[4] leases (zset)  KEYS[5] dead (list)  KEYS[6] waiting (set)
-- KEYS[7] stream (stream)  KEYS[8] to KEYS[10] past:<day> (hash)  then slots:<slot> (string) of each of the
--   first runs, those that hold one; then history:<job> (list) of each run
-- ARGV[5] how many runs  ARGV[6] how many texts their events are  ARGV[7] the first day  then the id of each,
--   then the history row of each after its times, then the texts, each for an entry of events, then per group of
--   runs that stand together: owner, how many, 'd' if they failed
-- Returns DONE | OTHER (a run is not its owner's, was named twice, or failed after a request to cancel it: nothing
-- was done, and finish judges each by itself).
local n = tonumber(ARGV[5])
local holding = #KEYS - 10 - n
local values, counts = redis.call('HMGET', KEYS[3], unpack(ARGV, 8, 7 + n)), {}
if holding > 0 then counts = redis.call('MGET', unpack(KEYS, 11, 10 + holding)) end
local lines = redis.call('SCARD', KEYS[6]) > 0
local seen, dead, nudges = {}, {}, {}
-- Values become rows. What one start call began has one head.
local i = 0
for at = 8 + 2 * n + ARGV[6], #ARGV, 3 do
  local owner, last, head, times = ARGV[at] .. '\t', i + ARGV[at + 1], nil, nil
  while i < last do
    i = i + 1
    local value, id = values[i], ARGV[7 + i]
    if not value or seen[id] then return 'OTHER' end
    if not head or string.find(value, head, 1, true) ~= 1 then
      if string.find(value, owner, 1, true) ~= 1 then return 'OTHER' end
      local started = string.match(value, '^%d+', #owner + 1)
      head, times = owner .. started .. '\t', started .. '\t' .. stamp .. '\t'
    end
    if ARGV[at + 2] == 'd' then
      local ends = string.find(value, '\n', 1, true)
      if string.byte(value, ends - 1) == 49 then return 'OTHER' end -- '1': asked to cancel
      dead[#dead + 1] = string.sub(value, ends + 1)
    end
    if lines then
      local slot = string.match(value, '^[^\t]*\t%d+\t%d+\t([^\t]*)')
      if redis.call('SISMEMBER', KEYS[6], slot) == 1 then nudges[#nudges + 1] = 'N\t' .. slot end
    end
    seen[id], values[i] = true, times .. ARGV[7 + n + i]
  end
end
local set, free, left, f = {}, {}, {}, 0
for k = 1, holding do
  local key, count = KEYS[10 + k], counts[k]
  if count == '1' then
    f = f + 1
    free[f] = key
  else
    left[key] = (left[key] or counter(count)) - 1
  end
end
for key, count in pairs(left) do
  if count > 0 then set[#set + 1], set[#set + 2] = key, count else free[#free + 1] = key end
end
redis.call('HDEL', KEYS[3], unpack(ARGV, 8, 7 + n))
redis.call('ZREM', KEYS[4], unpack(ARGV, 8, 7 + n))
if #set > 0 then redis.call('MSET', unpack(set)) end
if #free > 0 then redis.call('DEL', unpack(free)) end
for _, nudge in ipairs(nudges) do redis.call('XADD', KEYS[7], '*', 'm', nudge) end
keep(values, 10 + holding)
if #dead > 0 then
  redis.call('LPUSH', KEYS[5], unpack(dead))
  redis.call('LTRIM', KEYS[5], 0, 999)
end
for k = 8 + 2 * n, 7 + 2 * n + ARGV[6] do note(ARGV[k]) end
return 'DONE'
