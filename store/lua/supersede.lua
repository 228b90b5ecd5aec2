-- supersede: close runs in line to replace another that a newer one of the same job stands behind.
-- KEYS[3] waiting:<slot> (zset)  KEYS[4] waiting_runs:<slot> (hash)  then per run: history (list)
-- ARGV[5..] per run: id, id of the newer one
-- Returns how many were closed. One that has left the line, or whose newer one has, is left alone.
local closed = 0
for at = 5, #ARGV, 2 do
  local id = ARGV[at]
  local text = redis.call('ZSCORE', KEYS[3], id) and redis.call('ZSCORE', KEYS[3], ARGV[at + 1]) and redis.call('HGET', KEYS[4], id)
  local m = text and parse(text)
  if m and m.overlap == 'replace' and m.attempt == '1' then
    redis.call('ZREM', KEYS[3], id)
    redis.call('HDEL', KEYS[4], id)
    skip(m, KEYS[4 + (at - 3) / 2], 'max_instances', 'job_max_instances', 'superseded by a newer run')
    closed = closed + 1
  end
end
publish()
return closed
