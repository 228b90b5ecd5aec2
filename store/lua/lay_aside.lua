-- lay_aside: move runs that no node can read out of a sorted set and its hash into the dead list, each by itself.
-- KEYS[3] fence (hash)  KEYS[4] the set (zset)  KEYS[5] its texts (hash)  KEYS[6] dead (list)
-- KEYS[7] waiting (set)  then per run: history (list), slots:<slot> (string)
-- ARGV[5] epoch  ARGV[6] term, or both '' for a node that does not lead  ARGV[7] slot of the line, '' if it is none
-- ARGV[8] '1' to leave members whose score lies ahead
-- then per run: id; what there is of it: 'both', 'member' or 'text'; the text, or what stands for it in dead;
--   what is put before it there, '' for one that can be read; job and line of runs as far as known, or ''; reason;
--   '1' if it holds its slot; where in the text the message begins
-- Returns per run ASIDE | CHANGED (it is not as it was read any more), or {FENCED, …}.
if ARGV[5] ~= '' then
  local f = redis.call('HMGET', KEYS[3], 'epoch', 'term')
  if f[1] ~= ARGV[5] or f[2] ~= ARGV[6] then return {'FENCED', f[1] or '', f[2] or ''} end
end
-- there says whether the run is as it was read.
local function there(id, what, text)
  local score, stored = redis.call('ZSCORE', KEYS[4], id), redis.call('HGET', KEYS[5], id)
  if ARGV[8] == '1' and score and (score == 'inf' or (tonumber(score) or 0) > now) then return false end
  if what == 'text' then return not score and stored == text end
  return score and ((what == 'member' and not stored) or (what == 'both' and stored == text))
end
local reply, key = {}, 8
for i = 9, #ARGV, 9 do
  local id, what, text, job, runs, reason = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6]
  if there(id, what, text) then
    redis.call('ZREM', KEYS[4], id)
    redis.call('HDEL', KEYS[5], id)
    local from = tonumber(ARGV[i + 8])
    if ARGV[i + 3] ~= '' then text = ARGV[i + 3] .. string.sub(text, from, from + 65535) end
    redis.call('LPUSH', KEYS[6], text)
    if ARGV[i + 7] == '1' then
      local n = redis.pcall('DECR', KEYS[key + 1]) -- one that cannot be read is left to audit
      if type(n) == 'number' and n <= 0 then redis.call('DEL', KEYS[key + 1]) end
    end
    if job == '' or runs == '' then
      event('job_error', job, id, '', '', node, ARGV[6], reason)
    else
      skip({text = runs, at = 1, job = job, attempt = '1'}, KEYS[key], 'error', 'job_error', reason)
    end
    reply[#reply + 1] = 'ASIDE'
  else
    reply[#reply + 1] = 'CHANGED'
  end
  key = key + 2
end
redis.call('LTRIM', KEYS[6], 0, 999)
if ARGV[7] ~= '' and redis.call('EXISTS', KEYS[4]) == 0 then redis.call('SREM', KEYS[7], ARGV[7]) end
publish()
return reply
