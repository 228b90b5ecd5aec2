-- unserved: put off again runs in delayed whose task no live node of their executor serves, and close those
-- beyond their grace and those whose job was removed.
-- KEYS[4] delayed (zset)  KEYS[5] delayed_runs (hash)  KEYS[6] unserved (hash)  KEYS[7] removed (zset)
-- then per run: history (list)
-- ARGV[7..] per run: id, its field of unserved as it was read
-- Returns per run how many runs of its message were closed, or GONE (not due, or changed); or {FENCED, …}.
local reply = {}
local function leave(id)
  redis.call('ZREM', KEYS[4], id)
  redis.call('HDEL', KEYS[5], id)
  redis.call('HDEL', KEYS[6], id)
end
local function wait(m, id, key, since, pause, mark)
  local closed = judge(m, key, 'no node serves the task: ')
  local head, _, due = first(m)
  if head ~= id then leave(id) end
  if not head then return closed end
  pause = math.min(2 * pause, 30000)
  local at = now + pause
  if m.grace >= 0 and m.attempt == '1' then at = math.min(at, due + m.grace + 1) end
  redis.call('ZADD', KEYS[4], ms(at), head)
  redis.call('HSET', KEYS[5], head, m.text)
  redis.call('HSET', KEYS[6], head, since .. '\t' .. ms(pause) .. '\t' .. mark)
  return closed
end
for i = 7, #ARGV, 2 do
  local id, key = ARGV[i], KEYS[8 + (i - 7) / 2]
  local score = redis.call('ZSCORE', KEYS[4], id)
  local text = score and tonumber(score) <= now and redis.call('HGET', KEYS[5], id)
  local m = text and redis.call('HGET', KEYS[6], id) == ARGV[i + 1] and parse(text)
  local since, pause, mark = string.match(ARGV[i + 1], '^(%d+)\t(%d+)\t(.+)$')
  if not m or not m.at or not since or string.sub(key, -9 - #m.job) ~= ':history:' .. m.job then
    reply[#reply + 1] = 'GONE'
  elseif m.uid ~= '' and redis.call('ZSCORE', KEYS[7], m.uid) then
    leave(id)
    skip(m, key, 'cancelled', 'job_cancelled', 'job removed')
    reply[#reply + 1] = '0'
  else
    reply[#reply + 1] = ms(wait(m, id, key, since, pause, mark))
  end
end
publish()
return reply
