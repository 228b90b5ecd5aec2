-- audit: compare the counters of slots that seem wrong with running, and mend those that are. It must find
-- nothing.
-- KEYS[4] running (hash)  then slots:<slot> (string)
-- ARGV[7] event since which runs were read, or ''  then the slots' names, then the runs that held one
-- Returns {OK, name, counter, truth, …} of what was mended, {BUSY} when that cannot be told now, or {FENCED, …}.
local truth = holders(KEYS[1], KEYS[4], ARGV[7], ARGV, 4 + #KEYS)
if not truth then return {'BUSY'} end
local reply = {'OK'}
for i = 5, #KEYS do
  local key, name = KEYS[i], ARGV[3 + i]
  local have, want = redis.pcall('GET', key) or '0', truth[name] or 0
  if type(have) ~= 'string' then have = 'no number' end
  if have ~= tostring(want) and not (want == 0 and have == '0') then
    redis.call('DEL', key)
    if want > 0 then redis.call('SET', key, want) end
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = name, have, tostring(want)
  end
end
return reply
