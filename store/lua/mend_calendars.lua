-- mend_calendars: give the calendars of a partition a version again that can be read; every job follows it anew.
-- KEYS[4] calendars (hash)
-- ARGV[7] version as it was read
-- Returns {OK} | {CHANGED} | {FENCED, …}.
if redis.call('HGET', KEYS[4], 'version') ~= ARGV[7] then return {'CHANGED'} end
redis.call('HSET', KEYS[4], 'version', stamp)
redis.call('HDEL', KEYS[4], 'applied')
return {'OK'}
