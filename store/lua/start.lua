-- start: give each fetched run its slot and lease, or say why it may not run; give back the rest.
-- KEYS[3] stream (stream)  KEYS[4] running (hash)  KEYS[5] leases (zset)  KEYS[6] removed (zset)
-- KEYS[7] waiting (set)  KEYS[8] paused_executors (hash), then per message: slots:<slot> (string), waiting:<slot> (zset), waiting_runs:<slot> (hash), history (list)
-- ARGV[5] group  ARGV[6] consumer  ARGV[7] owner  ARGV[8] lease, ms  ARGV[9] executor
-- ARGV[10] entries  ARGV[11] messages to give back
-- then entry ids in order; per message given back: its entry's index, body; per message: index, slot, body
-- Returns {now, {tag, runs dropped as missed}, …}, one per message: STARTED | MISSED | FULL |
-- WAITING | REMOVED | RUNNING (elsewhere, or by an older call) | GONE (not pending here) |
-- PAUSED (the executor is: nothing was done, the entries are pending here still).
local entries, mine, returned = tonumber(ARGV[10]), {}, {}
local at = 12 + entries
for _, p in ipairs(redis.call('XPENDING', KEYS[3], ARGV[5], ARGV[12], ARGV[11 + entries], entries + 1000, ARGV[6])) do
  mine[p[1]] = true
end
for _ = 1, tonumber(ARGV[11]) do
  if mine[ARGV[11 + ARGV[at]]] then
    local n = #returned
    returned[n + 1], returned[n + 2] = 'm' .. (n / 2 + 1), ARGV[at + 1]
  end
  at = at + 2
end
local reply, leases, begun, key, lines = {ms(now)}, {}, {}, 9, redis.call('SCARD', KEYS[7]) > 0
local paused = at < #ARGV and redis.call('HEXISTS', KEYS[8], ARGV[9]) == 1
local function begin(owned, slot, m)
  local keySlot, keyLine, keyRuns, history = KEYS[key], KEYS[key + 1], KEYS[key + 2], KEYS[key + 3]
  if not owned then return resent(m, ARGV[7], begun) end
  if paused then return {'PAUSED', '0'} end
  if redis.call('HEXISTS', KEYS[4], (first(m))) == 1 then return {'RUNNING', '0'} end
  if m.uid ~= '' and redis.call('ZSCORE', KEYS[6], m.uid) then
    skip(m, history, 'cancelled', 'job_cancelled', 'job removed')
    return {'REMOVED', '0'}
  end
  local missed = judge(m, history)
  if m.runs == '' then return {'MISSED', missed} end
  local id, sched, due = first(m)
  if m.max > 0 then
    local busy = tonumber(redis.call('GET', keySlot) or '0')
    local line = (lines or m.overlap ~= 'skip') and redis.call('ZCARD', keyLine) or 0
    if busy >= m.max or line > 0 then
      if m.attempt == 1 and m.overlap == 'replace' then
        makeRoom(m, slot, keyLine, keyRuns, history)
      elseif m.attempt == 1 and (m.overlap ~= 'queue' or line >= 1000) then
        skip(m, history, 'max_instances', 'job_max_instances', busy .. ' running, ' .. line .. ' in line')
        return {'FULL', missed}
      end
      redis.call('ZADD', keyLine, due, id)
      redis.call('HSET', keyRuns, id, body(m))
      redis.call('SADD', KEYS[7], slot)
      lines = true
      return {'WAITING', missed}
    end
    redis.call('INCR', keySlot)
  end
  redis.call('HSET', KEYS[4], id, hold(ARGV[7], m, m.max > 0 and slot or '', ARGV[9]))
  begun[id] = true
  leases[#leases + 1], leases[#leases + 2] = ms(now + ARGV[8]), id
  event('job_started', m.job, id, sched, m.attempt, node, '', '')
  return {'STARTED', missed}
end
while at < #ARGV do
  reply[#reply + 1] = begin(mine[ARGV[11 + ARGV[at]]], ARGV[at + 1], parse(ARGV[at + 2]))
  at, key = at + 3, key + 4
end
if paused then return reply end
if #leases > 0 then redis.call('ZADD', KEYS[5], unpack(leases)) end
if #returned > 0 then redis.call('XADD', KEYS[3], '*', unpack(returned)) end
for i = 12, 11 + entries do
  if mine[ARGV[i]] then
    redis.call('XACK', KEYS[3], ARGV[5], ARGV[i])
    redis.call('XDEL', KEYS[3], ARGV[i])
  end
end
publish()
return reply
