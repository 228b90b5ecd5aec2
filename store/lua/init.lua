-- init: claim an empty partition for a store, or say whose it is.
-- KEYS[1] meta (hash)
-- ARGV[1] store uid  ARGV[2] partitions  ARGV[3] format
-- Returns {uid, partitions, format} as they stand afterwards.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'uid', ARGV[1], 'partitions', ARGV[2], 'format', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'uid', 'partitions', 'format')
