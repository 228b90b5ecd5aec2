-- tally: the counters of slots that seem wrong and how many runs hold the slots, at one moment. Reads only.
-- KEYS[1] events (stream)  KEYS[2] running (hash)  then slots:<slot> (string)
-- ARGV[1] event since which runs were read, or ''  then the slots' names, then the runs that held one
-- Returns {OK, counter, runs, …} in the order of the names, or {BUSY} when that cannot be told now.
local truth = holders(KEYS[1], KEYS[2], ARGV[1], ARGV, #KEYS)
if not truth then return {'BUSY'} end
local reply = {'OK'}
for i = 3, #KEYS do
  local have = redis.pcall('GET', KEYS[i]) or '0'
  reply[#reply + 1] = type(have) == 'string' and have or 'no number'
  reply[#reply + 1] = tostring(truth[ARGV[i - 1]] or 0)
end
return reply
