-- tidy: forget events, and rows of histories, that are beyond their age.
-- KEYS[4..] history:<job> (list)
-- ARGV[7] age of events, ms  ARGV[8] age of rows, ms
-- Returns {events forgotten, rows forgotten}, or {FENCED, …}. The newest row of a history stays.
local oldest = now - tonumber(ARGV[8])
local function young(key, i)
  local finished = string.match(redis.call('LRANGE', key, i, i)[1], '^[^\t]*\t(%d+)')
  return not finished or tonumber(finished) >= oldest
end
local events, rows = redis.call('XTRIM', KEYS[1], 'MINID', ms(math.max(0, now - tonumber(ARGV[7])))), 0
for i = 4, #KEYS do
  local key = KEYS[i]
  local n = redis.call('LLEN', key)
  if n > 1 and not young(key, n - 1) then
    local keep, old = 1, n - 1 -- rows before keep are young, or the newest; the one at old is not
    while keep < old do
      local middle = math.floor((keep + old) / 2)
      if young(key, middle) then keep = middle + 1 else old = middle end
    end
    redis.call('LTRIM', key, 0, keep - 1)
    rows = rows + n - keep
  end
end
return {tostring(events), tostring(rows)}
