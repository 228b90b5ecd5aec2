-- refer: what scripts begin with that store or remove jobs, after lib; not a script of its own.
-- Fields of calendars (hash): 'version', 'applied', 'doc <name>', 'uses <name>' = how many jobs refer to it.
-- calendar_jobs (hash): job id -> names of the calendars it refers to, with spaces between.

-- lacking says why a job cannot be stored that was scheduled by the calendars of a version, or nil.
local function lacking(calendars, version, names)
  if version == '' then return nil end
  for name in string.gmatch(names, '[^ ]+') do
    if redis.call('HEXISTS', calendars, 'doc ' .. name) == 0 then return 'NO_CALENDAR ' .. name end
  end
  if (redis.call('HGET', calendars, 'version') or '0') ~= version then return 'CHANGED' end
end

-- count adds to how many jobs refer to a calendar; a number that cannot be read counts as none.
local function count(calendars, field, by)
  local n = (tonumber(redis.call('HGET', calendars, field) or '0') or 0) + by
  if n > 0 then redis.call('HSET', calendars, field, ms(n)) else redis.call('HDEL', calendars, field) end
end

-- refer has a job refer to the calendars that are named, and to no others.
local function refer(calendars, index, id, names)
  local old = redis.call('HGET', index, id) or ''
  if old == names then return end
  for name in string.gmatch(old, '[^ ]+') do
    count(calendars, 'uses ' .. name, -1)
  end
  for name in string.gmatch(names, '[^ ]+') do count(calendars, 'uses ' .. name, 1) end
  if names == '' then redis.call('HDEL', index, id) else redis.call('HSET', index, id, names) end
end
