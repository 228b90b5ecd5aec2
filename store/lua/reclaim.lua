-- reclaim: put what a consumer fetched but never started back into the stream, attempts unchanged;
-- the consumer's own start finds it gone from its pending list.
-- KEYS[4] stream (stream)
-- ARGV[7] group  ARGV[8] consumer  ARGV[9] idle time, ms  ARGV[10] how many at most
-- ARGV[11] '1' to delete the consumer when nothing is left pending for it
-- Returns {moved, '1' if the consumer was deleted, '1' if it has had enough for one call}, or {FENCED, …}.
local moved, deleted, bytes = 0, 0, 0
local pending = redis.call('XPENDING', KEYS[4], ARGV[7], 'IDLE', ARGV[9], '-', '+', ARGV[10], ARGV[8])
for _, p in ipairs(pending) do
  if bytes > 1048576 then break end
  local entry = redis.call('XRANGE', KEYS[4], p[1], p[1])[1]
  if entry then
    redis.call('XADD', KEYS[4], '*', unpack(entry[2]))
    for i = 2, #entry[2], 2 do bytes = bytes + #entry[2][i] end
    moved = moved + 1
  end
  redis.call('XACK', KEYS[4], ARGV[7], p[1])
  redis.call('XDEL', KEYS[4], p[1])
end
if ARGV[11] == '1' and #redis.call('XPENDING', KEYS[4], ARGV[7], '-', '+', 1, ARGV[8]) == 0 then
  redis.call('XGROUP', 'DELCONSUMER', KEYS[4], ARGV[7], ARGV[8])
  deleted = 1
end
return {tostring(moved), tostring(deleted), bytes > 1048576 and '1' or '0'}
