-- remove_calendar: forget a calendar to which no job refers.
-- KEYS[3] calendars (hash)  KEYS[4] op (string)
-- ARGV[5] op life, s  ARGV[6] name
-- Returns REMOVED | MISSING | IN_USE; a repeated op gets REMOVED if the first did.
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
local f = redis.call('HMGET', KEYS[3], 'doc ' .. ARGV[6], 'uses ' .. ARGV[6])
if not f[1] then return 'MISSING' end
if f[2] then return 'IN_USE' end
redis.call('HDEL', KEYS[3], 'doc ' .. ARGV[6])
redis.call('SET', KEYS[4], 'REMOVED', 'EX', ARGV[5])
return 'REMOVED'
