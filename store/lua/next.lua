-- next: start the first in line for a slot, in answer to a nudge.
-- KEYS[3] stream (stream)  KEYS[4] running (hash)  KEYS[5] leases (zset)  KEYS[6] removed (zset)
-- KEYS[7] waiting (set)  KEYS[8] slots:<slot> (string)  KEYS[9] waiting:<slot> (zset)
-- KEYS[10] waiting_runs:<slot> (hash)  KEYS[11] history of the job that is expected first (list)
-- KEYS[12] paused_executors (hash)
-- ARGV[5] group  ARGV[6] consumer  ARGV[7] owner  ARGV[8] lease, ms  ARGV[9] executor  ARGV[10] entry id of the nudge
-- ARGV[11] run expected first in line, or ''  ARGV[12] slot  ARGV[13..] the runs that share its slot
-- Returns {tag, runs dropped as missed, now}: STARTED | FULL | EMPTY | CHANGED (look again) |
-- REMOVED, MISSED (dropped; look again) | PAUSED (the executor is; the nudge went back) | GONE (the nudge is
-- not pending here, so that a call that comes late starts nothing).
local function done(tag, n)
  publish()
  if tag == 'STARTED' or tag == 'FULL' or tag == 'EMPTY' then
    redis.call('XACK', KEYS[3], ARGV[5], ARGV[10])
    redis.call('XDEL', KEYS[3], ARGV[10])
  end
  return {tag, n, ms(now)}
end
for i, value in ipairs(ARGV[13] and redis.call('HMGET', KEYS[4], unpack(ARGV, 13)) or {}) do
  -- an earlier sending of this call may have started it
  if value and held(value).owner == ARGV[7] then return done('STARTED', i - 1) end
end
if redis.call('HEXISTS', KEYS[12], ARGV[9]) == 1 then
  redis.call('XACK', KEYS[3], ARGV[5], ARGV[10])
  if redis.call('XDEL', KEYS[3], ARGV[10]) == 1 then redis.call('XADD', KEYS[3], '*', 'm', 'N\t' .. ARGV[12]) end
  return {'PAUSED', 0}
end
if #redis.call('XPENDING', KEYS[3], ARGV[5], ARGV[10], ARGV[10], 1, ARGV[6]) == 0 then return done('GONE', 0) end
local id = redis.call('ZRANGE', KEYS[9], 0, 0)[1]
if not id then
  redis.call('SREM', KEYS[7], ARGV[12])
  return done('EMPTY', 0)
end
local text = redis.call('HGET', KEYS[10], id)
if id ~= ARGV[11] or not text then return done('CHANGED', 0) end
local m = parse(text)
local _, more = string.gsub(runsOf(m), ',', ',')
if more + 13 ~= #ARGV then return done('CHANGED', 0) end -- one was withdrawn: the caller would run it all the same
local function leave()
  redis.call('ZREM', KEYS[9], id)
  redis.call('HDEL', KEYS[10], id)
  if redis.call('EXISTS', KEYS[9]) == 0 then redis.call('SREM', KEYS[7], ARGV[12]) end
end
if m.uid ~= '' and redis.call('ZSCORE', KEYS[6], m.uid) then
  leave()
  skip(m, KEYS[11], 'cancelled', 'job_cancelled', 'job removed')
  return done('REMOVED', 0)
end
local busy = redis.pcall('GET', KEYS[8]) or '0' -- a counter that cannot be read is full until audit has mended it
if type(busy) ~= 'string' or (tonumber(busy) or m.max) >= m.max then return done('FULL', 0) end
local missed = judge(m, KEYS[11])
leave()
local run, sched = first(m)
if not run then return done('MISSED', missed) end
redis.call('INCR', KEYS[8])
redis.call('HSET', KEYS[4], run, hold(ARGV[7], m, ARGV[12], ARGV[9]))
redis.call('ZADD', KEYS[5], ms(now + ARGV[8]), run)
event('job_started', m.job, run, sched, m.attempt, node, '', '')
if redis.call('EXISTS', KEYS[9]) == 1 and tonumber(redis.call('GET', KEYS[8])) < m.max then
  redis.call('XADD', KEYS[3], '*', 'm', 'N\t' .. ARGV[12]) -- there is room for one more
end
return done('STARTED', missed)
