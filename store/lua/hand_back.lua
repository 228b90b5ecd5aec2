-- hand_back: put entries that a consumer fetched and did not start back into the stream as they are.
-- KEYS[1] stream (stream)
-- ARGV[1] group  ARGV[2] consumer  ARGV[3..] entry ids
-- Returns OK. What is not in the own pending list, or not any more, is left alone.
for i = 3, #ARGV do
  local id = ARGV[i]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2]) > 0 then
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if entry then redis.call('XADD', KEYS[1], '*', unpack(entry[2])) end
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
  end
end
return 'OK'
