-- tidy: forget events, and rows of histories, that are beyond their age.
-- KEYS[4..] past:<day> (hash) of days, one after the other, the latest first; then history:<job> (list)
-- ARGV[7] age of events, ms  ARGV[8] age of rows, ms  ARGV[9] how many days  ARGV[10] the latest
-- Returns {events forgotten, rows forgotten}, or {FENCED, …}. The newest row of a history stays.
local oldest = now - tonumber(ARGV[8])
local function young(key, i)
  local finished = string.match(redis.call('LRANGE', key, i, i)[1], '^[^\t]*\t(%d+)')
  return not finished or tonumber(finished) >= oldest
end
local events, rows = redis.call('XTRIM', KEYS[1], 'MINID', ms(math.max(0, now - tonumber(ARGV[7])))), 0
local days = tonumber(ARGV[9])
for i = 0, days - 1 do
  local key, over = KEYS[4 + i], (ARGV[10] - i + 1) * 86400000 + ARGV[2] * 1000 -- when its last row is too old
  if over <= now then
    rows = rows + redis.call('HLEN', key)
    redis.call('UNLINK', key) -- which frees it beside the main thread; an expiry need not
  end
end
for i = 4 + days, #KEYS do
  local key = KEYS[i]
  local n = redis.pcall('LLEN', key)
  if type(n) == 'number' and n > 1 and not young(key, n - 1) then
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
