-- enqueue: put runs into a stream, or into delayed when they are due later, once per op.
-- KEYS[3] stream (stream)  KEYS[4] delayed (zset)  KEYS[5] delayed_runs (hash)  KEYS[6] op (string)
-- ARGV[5] op life, s  ARGV[6] job that must exist, or ''  ARGV[7] its uid
-- ARGV[8] when they are due, ms, or '' for now  ARGV[9] wake channel
-- ARGV[10] how many messages may share an entry of the stream  ARGV[11] answer to keep
-- then per message: id of its first run, body, events
-- Returns the kept answer, or MISSING when the job is not there.
local old = redis.call('GET', KEYS[6])
if old then return old end
if ARGV[6] ~= '' then
  local value = redis.call('HGET', KEYS[2], ARGV[6])
  if not value or string.match(value, '^%S+ (%S+)') ~= ARGV[7] then return 'MISSING' end
end
local when = ARGV[8] ~= '' and ARGV[8] or stamp
local later, pack, share = tonumber(when) > now, {}, 2 * ARGV[10]
for i = 12, #ARGV, 3 do
  for line in string.gmatch(ARGV[i + 2], '[^\n]+') do log[#log + 1] = line end
  if later then
    redis.call('ZADD', KEYS[4], when, ARGV[i])
    redis.call('HSET', KEYS[5], ARGV[i], ARGV[i + 1])
  else
    local n = #pack
    pack[n + 1], pack[n + 2] = 'm' .. (n / 2 + 1), ARGV[i + 1]
    if n + 2 >= share then
      redis.call('XADD', KEYS[3], '*', unpack(pack))
      pack = {}
    end
  end
end
if #pack > 0 then redis.call('XADD', KEYS[3], '*', unpack(pack)) end
redis.call('SET', KEYS[6], ARGV[11], 'EX', ARGV[5])
if later then redis.call('PUBLISH', ARGV[9], when) end
publish()
return ARGV[11]
