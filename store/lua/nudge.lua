-- nudge: tell the consumers of a stream that a slot may have come free.
-- KEYS[3] stream (stream)
-- ARGV[5] slot
-- Returns OK.
redis.call('XADD', KEYS[3], '*', 'm', 'N\t' .. ARGV[5])
return 'OK'
