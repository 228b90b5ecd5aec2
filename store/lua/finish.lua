-- finish: end attempts; only the owner may, and the removal from running permits the DECR.
-- KEYS[3] running (hash)  KEYS[4] leases (zset)  KEYS[5] removed (zset)  KEYS[6] delayed (zset)
-- KEYS[7] delayed_runs (hash)  KEYS[8] dead (list)  KEYS[9] waiting (set)  KEYS[10] stream (stream)
-- KEYS[11] paused_executors (hash)
-- then per run: slots:<slot> (string), history (list)
-- ARGV[5] lease, ms  then per run: id, owner, event line, history row after its times, letters for what
--   else there is: d it failed, r a retry follows, n something follows in the same slot, b the retry holds the
--   runs that follow too: they go to the stream when the run ends instead; then for r: delay in ms, body,
--   event line; for n or b: body of what follows
-- Returns a tag per run: DONE | NEXT n (what follows has started, but for its first n runs, which were
-- missed) | BACK (what follows is in the stream) | REFUSED; after it CANCELLED when a run that failed ended as
-- cancelled, since that was asked for, and REMOVED when its job is gone: no retry, and what follows was
-- cancelled. A call that is sent again gets NEXT for what it let start, else REFUSED.
local ended, done = {}, {}
local function follow(e, value, gone)
  local m, h = parse(e.next), held(value)
  if gone then
    skip(m, e.history, 'cancelled', 'job_cancelled', 'job removed')
    return 'DONE'
  end
  if e.back or redis.call('HEXISTS', KEYS[11], h.executor) == 1 then
    redis.call('XADD', KEYS[10], '*', 'm', e.next)
    return 'BACK'
  end
  local missed = judge(m, e.history)
  local id, sched = first(m)
  if not id then return 'DONE' end
  redis.call('HSET', KEYS[3], id, hold(e.owner, m, h.slot, h.executor))
  redis.call('ZADD', KEYS[4], ms(now + ARGV[5]), id)
  event('job_started', m.job, id, sched, m.attempt, node, '', '')
  return 'NEXT ' .. missed
end
local reply, left, free = {}, {}, {}
for i, e in ipairs(ends) do
  local value, tag = not ended[e.id] and values[i], 'REFUSED'
  local owner, started, slot, flag = string.match(value or '', '^([^\t]*)\t(%d+)\t%d+\t([^\t]*)\t[^\t]*\t(%d)')
  if value and owner == e.owner then
    ended[e.id], done[#done + 1], tag = true, e.id, 'DONE'
    local asked = flag == '1' and (e.dead or e.retry)
    local gone = close(e, value, started, asked)
    if e.next then tag = follow(e, value, gone) end
    if string.sub(tag, 1, 4) ~= 'NEXT' and slot ~= '' then
      counts[e.slot] = counts[e.slot] - 1
      left[#left + 1] = e.slot
      if lines and redis.call('SISMEMBER', KEYS[9], slot) == 1 then redis.call('XADD', KEYS[10], '*', 'm', 'N\t' .. slot) end
    end
    tag = tag .. (asked and ' CANCELLED' or '') .. (gone and ' REMOVED' or '')
  elseif e.next then
    tag = resent(e) -- also when the run, tried again, has started elsewhere by now
  end
  reply[i] = tag
end
local set = {}
for _, key in ipairs(left) do
  local n = counts[key]
  if n > 0 then set[#set + 1], set[#set + 2] = key, n else free[#free + 1] = key end
end
if #done > 0 then
  redis.call('HDEL', KEYS[3], unpack(done))
  redis.call('ZREM', KEYS[4], unpack(done))
end
if #set > 0 then redis.call('MSET', unpack(set)) end
if #free > 0 then redis.call('DEL', unpack(free)) end
publish()
return reply
