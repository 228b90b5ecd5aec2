-- set_calendar: keep a calendar under a name, in place of the one that has it.
-- KEYS[3] calendars (hash)  KEYS[4] op (string)
-- ARGV[5] op life, s  ARGV[6] wake channel  ARGV[7] name  ARGV[8] document
-- Returns SET | SAME; a repeated op gets the answer of the first. While no job refers to it, no job
-- has to follow the change.
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
local f = redis.call('HMGET', KEYS[3], 'doc ' .. ARGV[7], 'uses ' .. ARGV[7], 'version', 'applied')
answer = 'SAME'
if f[1] ~= ARGV[8] then
  answer = 'SET'
  redis.call('HSET', KEYS[3], 'doc ' .. ARGV[7], ARGV[8])
  local version = ms(math.max(now, (tonumber(f[3]) or 0) + 1)) -- never one again that Redis has lost
  redis.call('HSET', KEYS[3], 'version', version)
  if not f[2] and f[3] == f[4] then redis.call('HSET', KEYS[3], 'applied', version) end
  redis.call('PUBLISH', ARGV[6], '')
end
redis.call('SET', KEYS[4], answer, 'EX', ARGV[5])
return answer
