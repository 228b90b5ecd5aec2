-- clamp: have no lease end later than a leader can explain: the clock of Redis was ahead when it was made.
-- KEYS[4] leases (zset)
-- ARGV[7] how far ahead a lease may end, ms
-- Returns {how many were shortened}, or {FENCED, …}.
local till = ms(now + ARGV[7])
local ahead = redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. till, '+inf')
for i = 1, #ahead, 1000 do
  local shorter = {}
  for j = i, math.min(i + 999, #ahead) do
    shorter[#shorter + 1], shorter[#shorter + 2] = till, ahead[j]
  end
  redis.call('ZADD', KEYS[4], 'XX', unpack(shorter))
end
return {tostring(#ahead)}
