-- nudge: tell the consumers of a stream that a slot may have come free.
-- KEYS[3] stream (stream)
-- ARGV[5] slot
-- Returns OK. A nudge that is there already, among the newest entries, is enough.
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 100)) do
  if entry[2][2] == 'N\t' .. ARGV[5] then return 'OK' end
end
redis.call('XADD', KEYS[3], '*', 'm', 'N\t' .. ARGV[5])
return 'OK'
