-- refused: what start does for a message that finds no slot, after taken; not a script of its own.
-- unreported reports whether a run holds the slot whose lease was not renewed since a node came back from an outage.
local suspects
local function unreported(slot)
  if not suspects then
    local back = redis.call('GET', KEYS[9])
    local old = back and redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', '(' .. ms(back + ARGV[8]), 'LIMIT', 0, 100) or {}
    suspects = {}
    for _, value in ipairs(#old > 0 and redis.call('HMGET', KEYS[4], unpack(old)) or {}) do
      local h = value and held(value)
      if h then suspects[h.slot or ''] = true end
    end
    suspects[true] = #old == 100
  end
  return suspects[slot] or suspects[true]
end
-- refused sees to a message that finds no slot.
local function refused(m, line, missed)
  local keyLine, keyRuns, history = KEYS[m.key + 1], KEYS[m.key + 2], KEYS[m.key + 3]
  if m.attempt == '1' and m.overlap == 'skip' and unreported(m.slot) then
    m.later = missed
    return 'LATER', missed
  elseif m.attempt == '1' and m.overlap ~= 'replace' and (m.overlap ~= 'queue' or line >= 1000) then
    skip(m, history, 'max_instances', 'job_max_instances', (busy[KEYS[m.key]] < 1e8 and busy[KEYS[m.key]] or 'unknown') .. ' running, ' .. line .. ' in line')
    return 'FULL', missed
  end
  local id, _, due = first(m)
  redis.call('ZADD', keyLine, due, id)
  redis.call('HSET', keyRuns, id, m.text)
  redis.call('SADD', KEYS[7], m.slot)
  lines = true
  return 'WAITING', missed
end
