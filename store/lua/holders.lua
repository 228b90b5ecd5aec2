-- holders: which runs hold slots at this moment, for audit and tally; not a script of its own.
-- The caller has read, page by page, which runs held the slots after the event since. A run that holds one now
-- was among them, or has started since and is named by an event.

-- holders returns how many runs hold each slot, of the runs at args[from] and behind it and of those that have
-- started since the event; nil when there are too many events to look at, or the first of them are gone.
local function holders(events, running, since, args, from)
  local runs, known, count = {}, {}, {}
  local function candidate(id)
    if not known[id] then known[id], runs[#runs + 1] = true, id end
  end
  for i = from, #args do candidate(args[i]) end
  if since ~= '' and #redis.call('XRANGE', events, since, since) == 0 then return nil end
  local fresh = redis.call('XRANGE', events, since == '' and '-' or '(' .. since, '+', 'COUNT', 201)
  if #fresh > 200 then return nil end
  for _, entry in ipairs(fresh) do
    for id in string.gmatch(entry[2][2], 'job_started\t[^\t\n]*\t([^\t\n]+)') do candidate(id) end
  end
  if #runs > 10000 then return nil end
  for i = 1, #runs, 1000 do
    for _, value in ipairs(redis.call('HMGET', running, unpack(runs, i, math.min(i + 999, #runs)))) do
      local slot = string.match(value or '', '^[^\t]*\t%d+\t%d+\t([^\t]*)\t')
      if slot then count[slot] = (count[slot] or 0) + 1 end
    end
  end
  return count
end
