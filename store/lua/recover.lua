-- recover: take runs from a node that lost them; send them again or close them.
-- KEYS[4] running (hash)  KEYS[5] leases (zset)  KEYS[6] dead (list)  KEYS[7] removed (zset)
-- then per run: slots:<slot> (string), waiting:<slot> (zset), history (list), stream (stream)
-- ARGV[7] '' to take runs whose lease has ended, or to take those whose lease is still as it was read: the ends
--   of the leases in the order of the runs, as Redis prints them, each with a ';' behind it
-- then per run: id, owner, cause, body to send again or '' to close it as lost, body of what follows when it
--   is closed or ''
-- A run that was asked to cancel, or whose job is gone, is not sent again but closed as cancelled.
-- Returns per run RERUN | CLOSED | ALIVE (lease renewed meanwhile) | CHANGED (by another owner), or {FENCED, …}.
local function close(m, h, id, sched, who, cause, again, key)
  local gone = m.uid ~= '' and redis.call('ZSCORE', KEYS[7], m.uid)
  if h.cancel ~= '1' and not gone and again ~= '' then return 'RERUN' end
  if h.cancel == '1' or again ~= '' then
    cause = (h.cancel == '1' and 'cancelled on request; ' or 'job removed; ') .. cause
    push(KEYS[key + 2], m.job, row('cancelled', id, sched, h.attempt, who, h.started, '1', '', cause, ''))
    event('job_cancelled', m.job, id, sched, h.attempt, who, ARGV[6], cause)
  else
    push(KEYS[key + 2], m.job, row('lost', id, sched, h.attempt, who, h.started, '1', '', cause, ''))
    redis.call('LPUSH', KEYS[6], h.text)
    redis.call('LTRIM', KEYS[6], 0, 999)
  end
  return 'CLOSED', gone
end
local reply, key, leases = {}, 8, {}
for text in string.gmatch(ARGV[7], '([^;]*);') do leases[#leases + 1] = text end
for i = 8, #ARGV, 5 do
  local id, cause = ARGV[i], ARGV[i + 2]
  local value = redis.call('HGET', KEYS[4], id)
  local h = value and held(value)
  local score, read = redis.call('ZSCORE', KEYS[5], id), leases[(i - 3) / 5]
  if not h then
    redis.call('ZREM', KEYS[5], id) -- a lease of nothing
    reply[#reply + 1] = 'CHANGED'
  elseif h.owner ~= ARGV[i + 1] then
    reply[#reply + 1] = 'CHANGED'
  elseif read and (score or '') ~= read or not read and score and scoreOf(score) > now then
    reply[#reply + 1] = 'ALIVE'
  else
    local m = parse(h.text)
    local _, sched = first(m)
    local who = string.match(h.owner, '^[^/]*')
    redis.call('HDEL', KEYS[4], id)
    redis.call('ZREM', KEYS[5], id)
    event('job_lost', m.job, id, sched, h.attempt, who, ARGV[6], cause)
    local tag, gone = close(m, h, id, sched, who, cause, ARGV[i + 3], key)
    local next = tag == 'RERUN' and ARGV[i + 3] or ARGV[i + 4]
    if next ~= '' and gone then
      skip(parse(next), KEYS[key + 2], 'cancelled', 'job_cancelled', 'job removed')
    elseif next ~= '' then
      redis.call('XADD', KEYS[key + 3], '*', 'm', next)
    end
    reply[#reply + 1] = tag
    if h.slot ~= '' then
      local n = redis.pcall('DECR', KEYS[key]) -- a counter that cannot be read is left to audit
      if type(n) == 'number' and n <= 0 then redis.call('DEL', KEYS[key]) end
      if redis.call('EXISTS', KEYS[key + 1]) == 1 then redis.call('XADD', KEYS[key + 3], '*', 'm', 'N\t' .. h.slot) end
    end
  end
  key = key + 4
end
publish()
return reply
