-- outage: note that a node has reached Redis again after it could not. While that is less than a lease ago, runs
-- may hold slots that have ended, and are reported soon.
-- KEYS[1] outage (string)
-- ARGV[1] lease, ms
-- Returns the time, ms.
local T = redis.call('TIME')
local now = string.format('%.0f', T[1] * 1000 + math.floor(T[2] / 1000))
redis.call('SET', KEYS[1], now, 'PX', ARGV[1])
return now
