-- enqueue_now: put ad-hoc runs into a stream, scheduled at this moment, once per call and once per op.
-- KEYS[3] stream (stream)  KEYS[4] op of the call, then op of each submission that has its own (string)
-- ARGV[5] life of the call's op, s  ARGV[6] how many messages may share an entry
-- then per submission with an op, or neighbours without one that have a form in common: life of its op, s,
--   or ''; form: header of a message, event up to the run id, event after the time; number of messages; and
--   per message: id of its run, args
-- Returns for each submission with an op the first run that was enqueued under it, a line each, as text
-- Redis hashes each text that Lua makes byte by byte, so events are joined once, here, and not by lib: an
-- entry of the log holds up to 64 of them and 8 KiB, or one that is longer.
local kept = redis.call('MGET', unpack(KEYS, 4))
if kept[1] then return kept[1] end
local share, times = tonumber(ARGV[6]), '@' .. stamp .. '@' .. stamp .. '\n'
local answers, taken, pack, size, events, n, bytes = {}, {}, {}, 0, {}, 0, 0
local function tell()
  if n > 0 then redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'e', table.concat(events, '', 1, 3 * n)) end
  n, bytes = 0, 0
end
local function flush()
  if size > 0 then redis.call('XADD', KEYS[3], '*', unpack(pack, 1, 2 * size)) end
  size = 0
end
local function put(head, from, to)
  local leading, after = ARGV[head + 1], '\t' .. stamp .. ARGV[head + 2]
  local before, fixed = '\n' .. leading, 1 + #leading + #after
  head = ARGV[head]
  for i = from, to, 2 do
    local id = ARGV[i]
    bytes = bytes + fixed + #id
    if n == 64 or bytes > 8192 then
      tell()
      bytes = fixed + #id
    end
    events[3 * n + 1], events[3 * n + 2], events[3 * n + 3] = n == 0 and leading or before, id, after
    n, size = n + 1, size + 1
    pack[2 * size - 1], pack[2 * size] = pack[2 * size - 1] or 'm' .. size, head .. id .. times .. ARGV[i + 1]
    if size == share then flush() end
  end
end
local at, op = 7, 4
while ARGV[at] do
  local life, first, last, old = ARGV[at], at + 5, at + 4 + 2 * ARGV[at + 4], nil
  if life ~= '' then
    op = op + 1
    old = kept[op - 3] or taken[KEYS[op]]
    answers[op - 4] = old or ARGV[first]
  end
  if not old then put(at + 1, first, last) end
  if not old and life ~= '' then
    redis.call('SET', KEYS[op], ARGV[first], 'EX', life)
    taken[KEYS[op]] = ARGV[first]
  end
  at = last + 1
end
flush()
local reply = table.concat(answers, '\n')
redis.call('SET', KEYS[4], reply, 'EX', ARGV[5])
tell()
return reply
