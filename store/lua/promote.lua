-- promote: move runs whose backoff or delay has passed to their streams.
-- KEYS[4] delayed (zset)  KEYS[5] delayed_runs (hash)  KEYS[6] removed (zset)
-- then per run: stream (stream), history (list)
-- ARGV[7..] run ids
-- Returns per run SENT | REMOVED | GONE (not there, or not due), or {FENCED, …}.
local reply, key = {}, 7
for i = 7, #ARGV do
  local score = redis.call('ZSCORE', KEYS[4], ARGV[i])
  local text = score and tonumber(score) <= now and redis.call('HGET', KEYS[5], ARGV[i])
  if not text then
    reply[#reply + 1] = 'GONE'
  else
    local m = parse(text)
    redis.call('ZREM', KEYS[4], ARGV[i])
    redis.call('HDEL', KEYS[5], ARGV[i])
    if m.uid ~= '' and redis.call('ZSCORE', KEYS[6], m.uid) then
      skip(m, KEYS[key + 1], 'cancelled', 'job_cancelled', 'job removed')
      reply[#reply + 1] = 'REMOVED'
    else
      redis.call('XADD', KEYS[key], '*', 'm', text)
      reply[#reply + 1] = 'SENT'
    end
  end
  key = key + 2
end
publish()
return reply
