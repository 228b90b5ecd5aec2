-- audit: compare slot counters with running, and mend what differs. It must find nothing.
-- KEYS[4] running (hash)  then slots:<slot> (string)
-- ARGV[7..] the slots' names
-- Returns {name, counter, truth, …} of what was mended, or {FENCED, …}.
local truth = {}
for _, value in ipairs(redis.call('HVALS', KEYS[4])) do
  local slot = held(value).slot
  if slot ~= '' then truth[slot] = (truth[slot] or 0) + 1 end
end
local reply = {}
for i = 7, #ARGV do
  local key, want = KEYS[i - 2], truth[ARGV[i]] or 0
  local have = tonumber(redis.call('GET', key) or '0')
  if have ~= want then
    if want == 0 then redis.call('DEL', key) else redis.call('SET', key, want) end
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = ARGV[i], tostring(have), tostring(want)
  end
end
return reply
