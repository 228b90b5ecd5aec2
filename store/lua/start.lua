-- start: give each fetched run its slot and lease, or say why it may not run; give back the rest.
-- KEYS[3] stream (stream)  KEYS[4] running (hash)  KEYS[5] leases (zset)  KEYS[6] removed (zset)
-- KEYS[7] waiting (set)  KEYS[8] paused_executors (hash)  KEYS[9] outage (string)
-- then per message to start: slots:<slot> (string), waiting:<slot> (zset), waiting_runs:<slot> (hash),
--   history (list)
-- ARGV[5] group  ARGV[6] consumer  ARGV[7] owner  ARGV[8] lease, ms  ARGV[9] executor
-- ARGV[10] entries, then per entry in order: id, how many of its messages to start, how many to give back
-- then the bodies to start, then those to give back, in the order of their entries: every message of an
--   entry is among one of them, since the entry goes; each that is given back becomes an entry of its own,
--   pending for the same consumer
-- Returns {now, tag, …}, a tag per message to start, with ' n' when its first n runs were dropped as
-- missed: STARTED | MISSED | FULL | WAITING | REMOVED | RUNNING (elsewhere, or by an older call) |
-- GONE (not pending here) | LATER (its slot is held by a run that may have ended in an outage: it is pending
-- here still, as an entry of its own) | PAUSED (the executor is: nothing was done, the entries are pending here
-- still).
local function begin(m, i)
  if not m.owned then return resent(m) end
  if paused then return 'PAUSED', 0 end
  if values[i] or begun[runs[i]] then return 'RUNNING', 0 end
  if removals and m.uid ~= '' and redis.call('ZSCORE', KEYS[6], m.uid) then
    skip(m, KEYS[m.key + 3], 'cancelled', 'job_cancelled', 'job removed')
    return 'REMOVED', 0
  end
  local missed = judge(m, KEYS[m.key + 3])
  local id, sched = m.id, m.sched
  if missed > 0 then id, sched = first(m) end
  if not id then return 'MISSED', missed end
  if m.max > 0 then
    local n, line = busy[slots[i]], (lines or m.overlap ~= 'skip') and redis.call('ZCARD', KEYS[m.key + 1]) or 0
    if n >= m.max or line > 0 then return refused(m, line, missed) end
    busy[slots[i]] = n + 1
    counts[#counts + 1], counts[#counts + 2] = slots[i], n + 1
  end
  holds[#holds + 1], holds[#holds + 2] = id, hold(owner, m, m.max > 0 and m.slot or '', ARGV[9])
  leases[#leases + 1], leases[#leases + 2] = till, id
  begun[id] = true
  event('job_started', m.job, id, sched, m.attempt, node, '', '')
  return 'STARTED', missed
end
local reply, back, acked = {stamp}, {}, {}
for i, m in ipairs(messages) do
  local tag, missed = begin(m, i)
  reply[i + 1] = missed == 0 and tag or tag .. ' ' .. missed
end
if paused then return reply end
flush()
for _, m in ipairs(messages) do
  if m.later == 0 and ARGV[9 + 3 * m.entry] + ARGV[10 + 3 * m.entry] == 1 then
    mine[ids[m.entry]] = false -- it stays as it is
  elseif m.later then
    back[#back + 1] = redis.call('XADD', KEYS[3], '*', 'm', m.text)
  end
end
for i = 1, entries do
  local owned, n = mine[ids[i]], tonumber(ARGV[10 + 3 * i])
  for k = at, owned and at + n - 1 or 0 do back[#back + 1] = redis.call('XADD', KEYS[3], '*', 'm', ARGV[k]) end
  at = at + n
  if owned then acked[#acked + 1] = ids[i] end
end
if #back > 0 then -- pending here before the group has come to them, so that they go on before what is behind
  back[#back + 1], back[#back + 2] = 'FORCE', 'JUSTID'
  redis.call('XCLAIM', KEYS[3], ARGV[5], ARGV[6], 0, unpack(back))
end
if #acked > 0 then
  redis.call('XACK', KEYS[3], ARGV[5], unpack(acked))
  redis.call('XDEL', KEYS[3], unpack(acked))
end
publish()
return reply
