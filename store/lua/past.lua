-- past: where the history rows of runs go that end plainly, after lib; not a script of its own.
-- KEYS[8] to KEYS[10] past:<day> (hash) of three days that follow one another  ARGV[7] the first of them

-- today is the key of this day, nil when it was not declared.
local function today()
  local i = math.floor(now / 86400000) - ARGV[7]
  if i >= 0 and i <= 2 then return KEYS[8 + i] end
end

-- list puts a row into a list that may not be there yet, and says how many it has.
local function list(key, row, most)
  local size = redis.call('LPUSH', key, row)
  if size > most then redis.call('LTRIM', key, 0, most - 1) end
  return size
end

-- shelve puts rows into the day whose jobs are gone and have none there; the others into lists, which get a
-- life if their job is gone. names are the jobs of the rows after the first few; the keys of their lists come
-- after KEYS[at].
local function shelve(rows, few, names, at)
  local day, most, fresh, size = today(), tonumber(ARGV[1]), {}, 0
  local jobs, taken = redis.call('HMGET', KEYS[2], unpack(names)), nil
  if day then taken = redis.call('HMGET', day, unpack(names)) end
  for i, name in ipairs(names) do
    local row = rows[few + i]
    local gone = not jobs[i] and string.byte(name) ~= 64 -- '@', of ad-hoc runs
    if gone and day and not taken[i] and not taken[name] then
      taken[name], fresh[size + 1], fresh[size + 2] = true, name, row
      size = size + 2
    elseif list(KEYS[at + i], row, most) == 1 and gone then
      redis.call('EXPIRE', KEYS[at + i], ARGV[2])
    end
  end
  if size == 0 then return end
  redis.call('HSET', day, unpack(fresh))
  if redis.call('HLEN', day) * 2 == size then -- it is new
    redis.call('EXPIRE', day, (math.ceil(ARGV[2] / 86400) + 2) * 86400)
  end
end

-- keep puts each row into the list that has its place after KEYS[at]. The first that has none is shelved with all
-- behind it: where one job is gone most are, and the others find their lists there.
local function keep(rows, at)
  local most, names, n, k = tonumber(ARGV[1]), {}, #rows, 1
  while k <= n do
    local size = redis.call('LPUSHX', KEYS[at + k], rows[k])
    if size == 0 then break end
    if size > most then redis.call('LTRIM', KEYS[at + k], 0, most - 1) end
    k = k + 1
  end
  local from = #KEYS[1] + 3 -- of what follows {…}:history:
  for i = k, n do names[i - k + 1] = string.sub(KEYS[at + i], from) end
  if k <= n then shelve(rows, k - 1, names, at + k - 1) end
end
