-- displace: what start begins with besides lib; not a script of its own.
-- makeRoom is for a run with overlap "replace" that found no slot: it closes the runs of the same job
-- that stand in line to replace another, which the newer one supersedes; if there were none, it asks
-- for the cancellation of the oldest run that holds the slot.
local function makeRoom(m, slot, line, texts, history)
  local superseded = false
  for _, id in ipairs(redis.call('ZRANGE', line, 0, -1)) do
    local text = redis.call('HGET', texts, id)
    local w = text and parse(text)
    if w and w.job == m.job and w.overlap == 'replace' and w.attempt == '1' then
      redis.call('ZREM', line, id)
      redis.call('HDEL', texts, id)
      skip(w, history, 'max_instances', 'job_max_instances', 'superseded by a newer run')
      superseded = true
    end
  end
  if superseded then return end
  local oldest, of
  local all = redis.call('HGETALL', KEYS[4])
  for i = 1, #all, 2 do
    local h = held(all[i + 1])
    if h.slot == slot and h.cancel == '0' and (not of or tonumber(h.started) < tonumber(of.started)) then
      oldest, of = all[i], h
    end
  end
  if not of then return end
  local head = table.concat({of.owner, of.started, of.attempt, of.slot, of.executor, '1'}, '\t')
  redis.call('HSET', KEYS[4], oldest, head .. '\n' .. of.text)
end
