-- claim: the checks of dispatch, after refer; not a script of its own. KEYS and ARGV are as dispatch says.
if redis.call('EXISTS', KEYS[4]) == 1 then return {'PAUSED'} end
local n, f, share = tonumber(ARGV[7]), tonumber(ARGV[9]), 2 * ARGV[8]
local texts = tonumber(ARGV[11]) -- that are written as they are; 0 when some of their events are not to be
local ids, olds, news = 13 + texts, 13 + texts + n, 13 + texts + 2 * n -- before the first of each column
local times = news + (f < n and n or 0); local at = times + n - f + 1
local odd, refused, version = {}, {}, nil
for _ = 1, tonumber(ARGV[13]) do
  odd[tonumber(ARGV[at])] = at
  at = at + 7
end
-- lineUp notes the backlog of a job, as what says, or forgets it.
local function lineUp(id, what)
  local key, said = string.match(what, '^(%d+) (.*)$')
  if said == '' then redis.call('HDEL', KEYS[tonumber(key)], id) end
  if said and said ~= '' then redis.call('HSET', KEYS[tonumber(key)], id, said .. '\t' .. stamp) end
end
-- As a rule these are the first that are due, in order. Scores are dear: texts that are written and read.
local first, scores = redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', stamp, 'LIMIT', 0, n), nil
for i = 1, n do
  if first[i] ~= ARGV[ids + i] then scores = scores or redis.call('ZMSCORE', KEYS[5], unpack(ARGV, ids + 1, ids + n)) end
end
local values = redis.call('HMGET', KEYS[2], unpack(ARGV, ids + 1, ids + n))
for i = 1, n do
  local value, old = values[i], ARGV[olds + i]
  local score = not scores and 0 or scores[i] and scoreOf(scores[i])
  local by = odd[i] and ARGV[odd[i] + 3] or ''
  if by ~= '' then version = version or redis.call('HGET', KEYS[6], 'version') or '0' end
  if not value or not score or string.find(value, old, 1, true) ~= 1 or (by ~= '' and by ~= version) then
    refused[i] = 'STALE'
  elseif score > now then
    refused[i] = 'NOT_DUE'
  end
end
if tonumber(ARGV[10]) > now or next(refused) then -- some events are not to be, see each job
  local i, from, all = 0, 1, table.concat(ARGV, '\n', 14, 13 + texts)
  for latest, length in string.gmatch(ARGV[12], '(%-?%d+) (%d+);') do
    i = i + 1
    if tonumber(latest) > now then refused[i] = refused[i] or 'NOT_DUE' end
    if length ~= '0' then
      for line in string.gmatch(not refused[i] and string.sub(all, from, from + length - 1) or '', '[^\n]+') do
        log[#log + 1] = line
      end
      from = from + length + 1
    end
  end
  texts = 0
end
