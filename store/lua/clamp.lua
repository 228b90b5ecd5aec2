-- clamp: let no lease end later than a leader can explain: the clock of Redis was ahead when it was made.
-- KEYS[4] leases (zset)
-- ARGV[7] how far ahead a lease may end, ms  ARGV[8] how many leases one call shortens
-- Returns {how many were shortened}, or {FENCED, …}. When there were as many, there may be more.
local till = ms(now + ARGV[7])
local ahead, shorter = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. till, '+inf', 'LIMIT', 0, ARGV[8]), {}
for i, id in ipairs(ahead) do shorter[2 * i - 1], shorter[2 * i] = till, id end
if #ahead > 0 then redis.call('ZADD', KEYS[4], 'XX', unpack(shorter)) end
return {tostring(#ahead)}
