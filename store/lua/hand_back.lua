-- hand_back: put entries that a consumer fetched and did not start back into the stream as they are.
-- KEYS[1] stream (stream)
-- ARGV[1] group  ARGV[2] consumer  ARGV[3..] entry ids
-- Returns how many of the entries it has seen to: the others are too much for one call. What is not in the
-- own pending list, or not any more, is left alone.
local bytes = 0
for i = 3, #ARGV do
  if bytes > 1048576 then return i - 3 end
  local id = ARGV[i]
  if #redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2]) > 0 then
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if entry then
      redis.call('XADD', KEYS[1], '*', unpack(entry[2]))
      for k = 2, #entry[2], 2 do bytes = bytes + #entry[2][k] end
    end
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
  end
end
return #ARGV - 2
