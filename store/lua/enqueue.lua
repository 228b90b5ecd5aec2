-- enqueue: put ad-hoc runs into a stream, or into delayed when they are due later, once per op.
-- KEYS[3] stream (stream)  KEYS[4] delayed (zset)  KEYS[5] delayed_runs (hash)
-- then per submission: op (string)
-- ARGV[5] op life, s  ARGV[6] job that must exist, or ''  ARGV[7] its uid
-- ARGV[8] when they are due, ms, or '' for now  ARGV[9] wake channel
-- ARGV[10] how many bodies may share an entry of the stream
-- then per submission: answer to keep, messages; and per message: id of its first run, and either its
--   body, '', its events, '', or, for a run that is scheduled at this moment, the body up to the times, the
--   body after them, its event up to the time, its event after it
-- Returns per submission the kept answer, or MISSING when the job is not there.
local when, job = ARGV[8] ~= '' and ARGV[8] or stamp, true
local later = tonumber(when) > now
if ARGV[6] ~= '' then
  local value = redis.call('HGET', KEYS[2], ARGV[6])
  job = value and string.match(value, '^%S+ (%S+)') == ARGV[7]
end
local kept, at, pack, share, reply = redis.call('MGET', unpack(KEYS, 6)), 11, {}, 2 * ARGV[10], {}
local taken = {}
local function put(i)
  local text, events = ARGV[i + 1], ARGV[i + 3]
  if ARGV[i + 2] ~= '' then
    text, events = text .. stamp .. '@' .. stamp .. ARGV[i + 2], events .. stamp .. ARGV[i + 4]
  end
  log[#log + 1] = events
  if later then
    redis.call('ZADD', KEYS[4], when, ARGV[i])
    redis.call('HSET', KEYS[5], ARGV[i], text)
    return
  end
  local n = #pack
  pack[n + 1], pack[n + 2] = 'm' .. (n / 2 + 1), text
  if n + 2 >= share then
    redis.call('XADD', KEYS[3], '*', unpack(pack))
    pack = {}
  end
end
for g, old in ipairs(kept) do
  local op, answer, stop = KEYS[5 + g], ARGV[at], at + 2 + 5 * ARGV[at + 1]
  old = old or taken[op]
  if old or not job then
    reply[g] = old or 'MISSING'
  else
    for i = at + 2, stop - 1, 5 do put(i) end
    redis.call('SET', op, answer, 'EX', ARGV[5])
    reply[g], taken[op] = answer, answer
  end
  at = stop
end
if #pack > 0 then redis.call('XADD', KEYS[3], '*', unpack(pack)) end
if later and #log > 0 then redis.call('PUBLISH', ARGV[9], when) end
publish()
return reply
