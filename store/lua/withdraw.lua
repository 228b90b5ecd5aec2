-- withdraw: cancel a run that has not started, by taking it out of where it was found.
-- KEYS[3] op (string)  KEYS[4] history (list)
-- KEYS[5] where it was found: a stream (stream), or delayed or waiting:<slot> (zset)
-- KEYS[6] delayed_runs or waiting_runs:<slot> (hash)  KEYS[7] waiting (set)  KEYS[8] removed (zset)
-- ARGV[5] op life, s  ARGV[6] run id  ARGV[7] 'stream', or anything else for a zset
-- ARGV[8] entry id, or id of the first run of the message  ARGV[9] body that holds the run
-- ARGV[10] what stays of the body, or ''  ARGV[11] group  ARGV[12] slot, or ''
-- Returns CANCELLED | CHANGED (it is not there any more: look again); a repeated op gets the answer
-- of the first. Of a removed job nothing stays: the other runs of the body are cancelled too.
local answer = redis.call('GET', KEYS[3])
if answer then return answer end
local m, stays = parse(ARGV[9]), ARGV[10]
local gone = stays ~= '' and m.uid ~= '' and redis.call('ZSCORE', KEYS[8], m.uid)
if gone then stays = '' end
if ARGV[7] == 'stream' then
  local entry = redis.call('XRANGE', KEYS[5], ARGV[8], ARGV[8])[1]
  local keep, found = {}, false
  for i = 2, entry and #entry[2] or 0, 2 do
    local text = entry[2][i]
    if text == ARGV[9] then found, text = true, stays end
    if text ~= '' and string.match(entry[2][i - 1], '^m%d?$') then
      keep[#keep + 1] = 'm' .. (#keep / 2 + 1)
      keep[#keep + 1] = text
    end
  end
  if not found then return 'CHANGED' end
  if #keep > 0 then redis.call('XADD', KEYS[5], '*', unpack(keep)) end
  redis.call('XACK', KEYS[5], ARGV[11], ARGV[8]) -- whoever has fetched it may not start it any more
  redis.call('XDEL', KEYS[5], ARGV[8])
else
  local score = redis.call('ZSCORE', KEYS[5], ARGV[8])
  if not score or redis.call('HGET', KEYS[6], ARGV[8]) ~= ARGV[9] then return 'CHANGED' end
  redis.call('ZREM', KEYS[5], ARGV[8])
  redis.call('HDEL', KEYS[6], ARGV[8])
  if stays ~= '' then
    local head = first(parse(stays))
    redis.call('ZADD', KEYS[5], score, head)
    redis.call('HSET', KEYS[6], head, stays)
  elseif ARGV[12] ~= '' and redis.call('EXISTS', KEYS[5]) == 0 then
    redis.call('SREM', KEYS[7], ARGV[12])
  end
end
for id, sched in string.gmatch(runsOf(m), '([^@,]+)@(%-?%d+)@') do
  if gone or id == ARGV[6] then
    local cause = id == ARGV[6] and 'cancelled before it started' or 'job removed'
    push(KEYS[4], m.job, row('cancelled', id, sched, m.attempt, node, '', '1', '', cause, ''))
    event('job_cancelled', m.job, id, sched, m.attempt, node, '', cause)
  end
end
publish()
redis.call('SET', KEYS[3], 'CANCELLED', 'EX', ARGV[5])
return 'CANCELLED'
