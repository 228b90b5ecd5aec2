-- ends: what finish begins with after lib; not a script of its own. It reads what a call of finish brings
-- (its head says how), and what Redis knows of it: values of running by run, and counters by key of the
-- slot. Its functions decide what becomes of the run that has ended.
local ends, ids, slots, at = {}, {}, {}, 6
while at <= #ARGV do
  local n, more = #ends + 1, ARGV[at + 4]
  local e = {id = ARGV[at], owner = ARGV[at + 1], event = ARGV[at + 2], row = ARGV[at + 3],
    slot = KEYS[10 + 2 * n], history = KEYS[11 + 2 * n]}
  at = at + 5
  if more ~= '' then
    e.dead = string.find(more, 'd', 1, true)
    if string.find(more, 'r', 1, true) then
      e.delay, e.retry, e.retrying, at = ARGV[at], ARGV[at + 1], ARGV[at + 2], at + 3
    end
    e.back = string.find(more, 'b', 1, true)
    if e.back or string.find(more, 'n', 1, true) then e.next, at = ARGV[at], at + 1 end
  end
  ends[n], ids[n], slots[n] = e, e.id, e.slot
end
local values, counts = redis.call('HMGET', KEYS[3], unpack(ids)), {}
for i, n in ipairs(redis.call('MGET', unpack(slots))) do counts[slots[i]] = counter(n) end
local removals, lines = redis.call('ZCARD', KEYS[5]) > 0, redis.call('SCARD', KEYS[9]) > 0
-- resent finds what an earlier sending of this call let follow.
local function resent(e)
  local n = 0
  for id in string.gmatch(runsOf(parse(e.next)), '([^@,]+)@%-?%d+@') do
    local value = redis.call('HGET', KEYS[3], id)
    if value and held(value).owner == e.owner then return 'NEXT ' .. n end
    n = n + 1
  end
  return 'REFUSED'
end
-- asCancelled makes the end of e that of a run cancelled on request; its error stays.
local function asCancelled(e)
  local why = 'cancelled on request'
  e.event = 'job_cancelled' .. string.match(e.event, '^[^\t]*(\t.*\t)[^\t]*$') .. why
  local head, cause, tail = string.match(e.row, '^[^\t]*(' .. string.rep('\t[^\t]*', 6) .. '\t)([^\t]*)(\t.*)$')
  e.row = 'cancelled' .. head .. why .. (cause ~= '' and '; ' .. cause or '') .. tail
end
-- close ends the run of e, held as value since started, or has it tried again, and returns whether its
-- job is gone. asked says that it failed after a request to cancel it.
local function close(e, value, started, asked)
  local m = (removals or e.dead) and parse(held(value).text)
  local gone = removals and m.uid ~= '' and redis.call('ZSCORE', KEYS[5], m.uid)
  if e.retry and not gone and not asked then
    redis.call('ZADD', KEYS[6], ms(now + e.delay), e.id)
    redis.call('HSET', KEYS[7], e.id, e.retry)
    log[#log + 1] = e.retrying
    if e.back then e.next = nil end
    return gone
  end
  if asked then asCancelled(e) end
  push(e.history, string.match(e.event, '^[^\t]*\t([^\t]*)'), started .. '\t' .. stamp .. '\t' .. e.row)
  log[#log + 1] = e.event
  if e.dead and not asked then
    redis.call('LPUSH', KEYS[8], m.text)
    redis.call('LTRIM', KEYS[8], 0, 999)
  end
  return gone
end
