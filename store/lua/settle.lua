-- settle: make runs due whose task a live node of their executor serves again, and forget marks of runs that
-- are not in delayed any more.
-- KEYS[4] delayed (zset)  KEYS[5] unserved (hash)
-- ARGV[7..] per run: id, its field of unserved as it was read, '1' to make it due
-- Returns {how many were made due}, or {FENCED, …}.
local due = 0
for i = 7, #ARGV, 3 do
  local since = string.match(ARGV[i + 1], '^%d+')
  if redis.call('HGET', KEYS[5], ARGV[i]) == ARGV[i + 1] then
    local score = redis.call('ZSCORE', KEYS[4], ARGV[i])
    if not score then
      redis.call('HDEL', KEYS[5], ARGV[i])
    elseif ARGV[i + 2] == '1' then -- those that have waited longest go first
      redis.call('ZADD', KEYS[4], since and tonumber(since) < now and since or stamp, ARGV[i])
      redis.call('HDEL', KEYS[5], ARGV[i])
      due = due + 1
    end
  end
end
return {ms(due)}
