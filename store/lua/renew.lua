-- renew: keep the leases of the runs a node has, in one call. Presence decides, not expiry.
-- KEYS[1] running (hash)  KEYS[2] leases (zset)
-- ARGV[1] lease, ms  then per run: id, owner
-- Returns per run OK | LOST | CANCEL (kept, but somebody asked to cancel it).
local T = redis.call('TIME')
local till = string.format('%.0f', T[1] * 1000 + math.floor(T[2] / 1000) + ARGV[1])
local ids, reply, leases = {}, {}, {}
for i = 2, #ARGV, 2 do ids[#ids + 1] = ARGV[i] end
local values = redis.call('HMGET', KEYS[1], unpack(ids))
for i, id in ipairs(ids) do
  local owner, cancel = string.match(values[i] or '', '^([^\t]*)\t%d+\t%d+\t[^\t]*\t[^\t]*\t(%d)\n')
  if owner ~= ARGV[2 * i + 1] then
    reply[i] = 'LOST'
  else
    reply[i] = cancel == '1' and 'CANCEL' or 'OK'
    leases[#leases + 1], leases[#leases + 2] = till, id
  end
end
if #leases > 0 then redis.call('ZADD', KEYS[2], 'XX', unpack(leases)) end
return reply
