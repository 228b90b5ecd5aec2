-- recall: the rows that some days have of a job, and the time.
-- KEYS past:<day> (hash)  ARGV[1] job
-- Returns {now in ms, row, row, …}, rows in the order of KEYS.
local TIME = redis.call('TIME')
local reply = {string.format('%.0f', TIME[1] * 1000 + math.floor(TIME[2] / 1000))}
for _, key in ipairs(KEYS) do
  local row = redis.call('HGET', key, ARGV[1])
  if row then reply[#reply + 1] = row end
end
return reply
