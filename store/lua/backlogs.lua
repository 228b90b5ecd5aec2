-- backlogs: forget backlogs of jobs that are gone, or came anew under their ids.
-- KEYS[4] backlogs (hash)
-- ARGV[7..] per backlog: job id, value that was read
-- Returns {how many were forgotten}, or {FENCED, …}.
local n = 0
for i = 7, #ARGV, 2 do
  if redis.call('HGET', KEYS[4], ARGV[i]) == ARGV[i + 1] then n = n + redis.call('HDEL', KEYS[4], ARGV[i]) end
end
return {tostring(n)}
