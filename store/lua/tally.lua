-- tally: what the slot counters say and how many runs hold the slots, at one moment. Reads only.
-- KEYS[1] running (hash)  then slots:<slot> (string)
-- ARGV[1..] the slots' names
-- Returns {counter, runs, …} in the order of the names.
local holders = {}
for _, value in ipairs(redis.call('HVALS', KEYS[1])) do
  local name = string.match(value, '^[^\t]*\t%d+\t%d+\t([^\t]*)\t')
  if name then holders[name] = (holders[name] or 0) + 1 end
end
local reply = {}
for i = 1, #ARGV do
  reply[#reply + 1] = redis.call('GET', KEYS[i + 1]) or '0'
  reply[#reply + 1] = tostring(holders[ARGV[i]] or 0)
end
return reply
