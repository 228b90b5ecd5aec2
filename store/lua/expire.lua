-- expire: close as missed the runs beyond their grace, and as cancelled those of removed jobs, in entries that
-- nobody is there to fetch.
-- KEYS[4] stream (stream)  KEYS[5] removed (zset)  then per message: history (list)
-- ARGV[7] group  then per entry: id, bodies, then each body
-- Returns how many runs were missed per entry; 0 also for one that is gone or was fetched meanwhile;
-- or {FENCED, …}.
local entries, at = {}, 8
while at <= #ARGV do
  local e = {id = ARGV[at], first = at + 2, last = at + 1 + ARGV[at + 1]}
  e.there = #redis.call('XRANGE', KEYS[4], e.id, e.id) > 0
    and #redis.call('XPENDING', KEYS[4], ARGV[7], e.id, e.id, 1) == 0
  entries[#entries + 1] = e
  at = e.last + 1
end
local reply, key = {}, 6
for i, e in ipairs(entries) do
  local rest, closed, touched = {}, 0, false
  for k = e.first, e.last do
    local m = e.there and parse(ARGV[k])
    if m and m.uid ~= '' and redis.call('ZSCORE', KEYS[5], m.uid) then
      skip(m, KEYS[key], 'cancelled', 'job_cancelled', 'job removed')
      touched = true
    elseif m and m.at > #m.text then -- no node can read it here: it stays beside the others
      rest[#rest + 1] = 'm' .. (#rest / 2 + 1)
      rest[#rest + 1] = m.text
    elseif m then
      closed = closed + judge(m, KEYS[key], 'no executor: ')
      if first(m) then
        rest[#rest + 1] = 'm' .. (#rest / 2 + 1)
        rest[#rest + 1] = m.text
      end
    end
    key = key + 1
  end
  if touched or closed > 0 then
    if #rest > 0 then redis.call('XADD', KEYS[4], '*', unpack(rest)) end
    redis.call('XDEL', KEYS[4], e.id)
  end
  reply[i] = tostring(closed)
end
publish()
return reply
