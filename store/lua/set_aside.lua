-- set_aside: move the messages of an entry that no node can read to dead, each with a reason, and put
-- the others of the entry back.
-- KEYS[3] stream (stream)  KEYS[4] dead (list)  then per message set aside: history (list)
-- ARGV[5] group  ARGV[6] consumer  ARGV[7] entry id
-- then per message set aside: text for dead, job and line of runs as far as known or '', reason;
-- then the bodies to put back
-- Returns OK | GONE when the entry is not in the own pending list.
if #redis.call('XPENDING', KEYS[3], ARGV[5], ARGV[7], ARGV[7], 1, ARGV[6]) == 0 then return 'GONE' end
local at, back = 8, {}
for key = 5, #KEYS do
  local job, runs, reason = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  redis.call('LPUSH', KEYS[4], ARGV[at])
  if job == '' or runs == '' then
    event('job_error', job, '', '', '', node, '', reason)
  else
    skip({text = runs, at = 1, job = job, attempt = '1'}, KEYS[key], 'error', 'job_error', reason)
  end
  at = at + 4
end
redis.call('LTRIM', KEYS[4], 0, 999)
for i = at, #ARGV do
  back[#back + 1] = 'm' .. (#back / 2 + 1)
  back[#back + 1] = ARGV[i]
end
if #back > 0 then redis.call('XADD', KEYS[3], '*', unpack(back)) end
redis.call('XACK', KEYS[3], ARGV[5], ARGV[7])
redis.call('XDEL', KEYS[3], ARGV[7])
publish()
return 'OK'
