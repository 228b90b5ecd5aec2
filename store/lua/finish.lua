-- finish: end attempts; only the owner may, and the removal from running permits the DECR.
-- KEYS[3] running (hash)  KEYS[4] leases (zset)  KEYS[5] removed (zset)  KEYS[6] delayed (zset)
-- KEYS[7] delayed_runs (hash)  KEYS[8] dead (list)  KEYS[9] paused_executors (hash)
-- then per run: slots:<slot> (string), waiting:<slot> (zset), history (list), stream (stream)
-- ARGV[5] lease, ms  then per run: id, owner, outcome, event kind, cause, error, delay of the retry in
--   ms or '', body of the retry, body of what follows in the same slot or '', result
-- Returns per run {tag, runs dropped as missed}: DONE | NEXT (what follows has started) |
-- BACK (what follows is in the stream, since its executor is paused) | REFUSED.
local reply, key = {}, 10
local function close(h, id, m, i)
  local _, sched = first(m)
  local outcome, kind, cause, err = ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  local gone = m.uid ~= '' and redis.call('ZSCORE', KEYS[5], m.uid)
  if ARGV[i + 6] ~= '' and not gone then
    redis.call('ZADD', KEYS[6], ms(now + ARGV[i + 6]), id)
    redis.call('HSET', KEYS[7], id, ARGV[i + 7])
    event('job_retrying', m.job, id, sched, h.attempt, node, '', err)
  else
    push(KEYS[key + 2], m.job, row(outcome, id, sched, h.attempt, node, h.started, '1', '', cause, err, ARGV[i + 9]))
    event(kind, m.job, id, sched, h.attempt, node, '', cause ~= '' and cause or err)
    if outcome == 'error' or outcome == 'timeout' then
      redis.call('LPUSH', KEYS[8], h.text)
      redis.call('LTRIM', KEYS[8], 0, 999)
    end
  end
  return gone
end
local function follow(h, text, owner, gone)
  local m = parse(text)
  if gone then
    skip(m, KEYS[key + 2], 'cancelled', 'job_cancelled', 'job removed')
    return {'DONE', 0}
  end
  if redis.call('HEXISTS', KEYS[9], h.executor) == 1 then
    redis.call('XADD', KEYS[key + 3], '*', 'm', text)
    return {'BACK', 0}
  end
  local missed = judge(m, KEYS[key + 2])
  if m.runs == '' then return {'DONE', missed} end
  local id, sched = first(m)
  redis.call('HSET', KEYS[3], id, hold(owner, m, h.slot, h.executor))
  redis.call('ZADD', KEYS[4], ms(now + ARGV[5]), id)
  event('job_started', m.job, id, sched, m.attempt, node, '', '')
  return {'NEXT', missed}
end
-- resent finds what an earlier sending of this call let follow.
local function resent(text, owner)
  local n = 0
  for id in string.gmatch(parse(text).runs, '([^@,]+)@%-?%d+@') do
    local value = redis.call('HGET', KEYS[3], id)
    if value and held(value).owner == owner then return {'NEXT', n} end
    n = n + 1
  end
  return {'REFUSED', 0}
end
for i = 6, #ARGV, 10 do
  local id, owner = ARGV[i], ARGV[i + 1]
  local value = redis.call('HGET', KEYS[3], id)
  local h = value and held(value)
  local answer = {'REFUSED', 0}
  if h and h.owner == owner then
    redis.call('HDEL', KEYS[3], id)
    redis.call('ZREM', KEYS[4], id)
    local gone = close(h, id, parse(h.text), i)
    answer = {'DONE', 0}
    if ARGV[i + 8] ~= '' then answer = follow(h, ARGV[i + 8], owner, gone) end
    if answer[1] ~= 'NEXT' then release(h.slot, KEYS[key], KEYS[key + 1], KEYS[key + 3]) end
  elseif not h and ARGV[i + 8] ~= '' then
    answer = resent(ARGV[i + 8], owner)
  end
  reply[#reply + 1] = answer
  key = key + 4
end
publish()
return reply
