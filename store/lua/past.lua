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
-- life if their job is gone. names are the jobs, which the places of their rows.
local function shelve(rows, at, names, which)
  local day, most, fresh, size = today(), tonumber(ARGV[1]), {}, 0
  local jobs, taken = redis.call('HMGET', KEYS[2], unpack(names)), nil
  if day then taken = redis.call('HMGET', day, unpack(names)) end
  for i, name in ipairs(names) do
    local k = which[i]
    local gone = not jobs[i] and string.byte(name) ~= 64 -- '@', of ad-hoc runs
    if gone and day and not taken[i] and not taken[name] then
      taken[name], fresh[size + 1], fresh[size + 2] = true, name, rows[k]
      size = size + 2
    elseif list(KEYS[at + k], rows[k], most) == 1 and gone then
      redis.call('EXPIRE', KEYS[at + k], ARGV[2])
    end
  end
  if size == 0 then return end
  redis.call('HSET', day, unpack(fresh))
  if redis.call('HLEN', day) * 2 == size then -- it is new
    redis.call('EXPIRE', day, (math.ceil(ARGV[2] / 86400) + 2) * 86400)
  end
end

-- keep puts each row into the list that has its place after KEYS[at]; what has none yet is shelved. Whether
-- others have one is asked when the first has none: jobs that live do without.
local function keep(rows, at)
  local most, names, which, m, others = tonumber(ARGV[1]), {}, {}, 0, nil
  local from = #KEYS[1] + 3 -- of what follows {…}:history:
  for k = 1, #rows do
    local key = KEYS[at + k]
    local size = others ~= 0 and redis.call('LPUSHX', key, rows[k]) or 0
    if size > most then
      redis.call('LTRIM', key, 0, most - 1)
    elseif size == 0 then
      others = others or redis.call('EXISTS', unpack(KEYS, at + k, at + #rows))
      m = m + 1
      which[m], names[m] = k, string.sub(key, from)
    end
  end
  if m > 0 then shelve(rows, at, names, which) end
end
