-- prune: forget uids of removed jobs to which no run refers any more.
-- KEYS[4] removed (zset)  KEYS[5] running (hash)  KEYS[6] delayed_runs (hash)  KEYS[7] waiting (set)
-- then every stream of the partition
-- ARGV[7] how many runs it may look through
-- Returns {uids forgotten}, or {FENCED, …}. With runs in line, too many to look through, or one
-- that it cannot read, it forgets none.
local many = redis.call('HLEN', KEYS[5]) + redis.call('HLEN', KEYS[6])
for i = 8, #KEYS do many = many + redis.call('XLEN', KEYS[i]) end
if many > tonumber(ARGV[7]) or redis.call('SCARD', KEYS[7]) > 0 then return {'0'} end
local used, readable = {}, true
local function refer(text)
  local uid = string.match(text, '^1\t%d+\t%d+\t%-?%d+\t%a*\t([^\t]*)\t')
  if uid then used[uid] = true else readable = false end
end
for _, value in ipairs(redis.call('HVALS', KEYS[5])) do refer(string.match(value, '\n(.*)$') or '') end
for _, text in ipairs(redis.call('HVALS', KEYS[6])) do refer(text) end
for i = 8, #KEYS do
  for _, entry in ipairs(redis.call('XRANGE', KEYS[i], '-', '+')) do
    for f = 2, #entry[2], 2 do
      if string.sub(entry[2][f], 1, 2) ~= 'N\t' then refer(entry[2][f]) end
    end
  end
end
if not readable then return {'0'} end
local n = 0
for _, uid in ipairs(redis.call('ZRANGE', KEYS[4], 0, 999)) do
  if not used[uid] then n = n + redis.call('ZREM', KEYS[4], uid) end
end
return {tostring(n)}
