-- prune: forget uids of removed jobs of which no run can exist any more.
-- KEYS[4] removed (zset)  KEYS[5] running (hash)  KEYS[6] delayed_runs (hash)  KEYS[7] waiting (set)
-- then every stream of the partition
-- ARGV[7] how many values of running and delayed it may look through
-- Returns {uids forgotten}, or {FENCED, …}. With runs in line, or too many to look through, it
-- forgets none.
local oldest = now
for i = 8, #KEYS do
  local head = redis.call('XRANGE', KEYS[i], '-', '+', 'COUNT', 1)[1]
  if head then oldest = math.min(oldest, tonumber(string.match(head[1], '^%d+'))) end
end
local many = redis.call('HLEN', KEYS[5]) + redis.call('HLEN', KEYS[6])
if many > tonumber(ARGV[7]) or redis.call('SCARD', KEYS[7]) > 0 then return {'0'} end
local used = {}
for _, value in ipairs(redis.call('HVALS', KEYS[5])) do used[parse(held(value).text).uid] = true end
for _, text in ipairs(redis.call('HVALS', KEYS[6])) do used[parse(text).uid] = true end
local n = 0
for _, uid in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', '(' .. ms(oldest - 1000), 'LIMIT', 0, 1000)) do
  if not used[uid] then
    redis.call('ZREM', KEYS[4], uid)
    n = n + 1
  end
end
return {tostring(n)}
