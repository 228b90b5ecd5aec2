-- promote: move runs whose backoff or delay has passed to their streams.
-- KEYS[4] delayed (zset)  KEYS[5] delayed_runs (hash)  KEYS[6] removed (zset)
-- then per run: stream (stream), history (list)
-- ARGV[7..] run ids
-- Returns per run SENT | REMOVED | GONE (not there, not due, or of another executor or job than was read),
-- or {FENCED, …}.
local reply, key = {}, 7
local function names(k, kind, name) return string.sub(k, -#kind - #name) == kind .. name end
for i = 7, #ARGV do
  local score = redis.call('ZSCORE', KEYS[4], ARGV[i])
  local text = score and scoreOf(score) <= now and redis.call('HGET', KEYS[5], ARGV[i])
  local m = text and parse(text)
  local executor = m and string.match(text, '^1\t%d+\t%d+\t%-?%d+\t%a*\t[^\t]*\t[^\t]*\t([^\t]*)\t')
  if not executor or not names(KEYS[key], ':stream:', executor) or not names(KEYS[key + 1], ':history:', m.job) then
    reply[#reply + 1] = 'GONE'
  else
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
