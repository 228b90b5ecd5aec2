-- keep: note for later leaders how far the housekeeping has come.
-- KEYS[4] housekeeping (hash)
-- ARGV[7..] field, value, …
-- Returns {OK}, or {FENCED, …}.
redis.call('HSET', KEYS[4], unpack(ARGV, 7))
return {'OK'}
