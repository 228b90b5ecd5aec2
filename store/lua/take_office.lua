-- take_office: raise the fence to a term that was won in etcd.
-- KEYS[3] fence (hash)  KEYS[4] meta (hash)
-- ARGV[5] epoch  ARGV[6] term  ARGV[7] store uid  ARGV[8] cause in the event, or empty
-- ARGV[9] version of the leader's zone rules, or '' to say nothing of them
-- Returns OK | {FENCED, epoch, term} when a higher term is known | {EPOCH, epoch, term} when the
-- fence belongs to another incarnation of etcd | {BROKEN, term} when its term is no number | {LOST, uid} when the partition was emptied or
-- replaced. Terms are compared as numbers, below 2^53.
local uid = redis.call('HGET', KEYS[4], 'uid')
if uid ~= ARGV[7] then return {'LOST', uid or ''} end
local f = redis.call('HMGET', KEYS[3], 'epoch', 'term')
if f[1] and f[1] ~= ARGV[5] then return {'EPOCH', f[1], f[2] or ''} end
if f[2] and not tonumber(f[2]) then return {'BROKEN', f[2]} end
if f[2] and tonumber(f[2]) > tonumber(ARGV[6]) then return {'FENCED', f[1], f[2]} end
if ARGV[9] ~= '' then -- a leader in between that says nothing of its rules may have had others
  local z = redis.call('HMGET', KEYS[4], 'zones', 'zones_term')
  if (z[1] ~= ARGV[9] or z[2] ~= f[2]) and redis.call('HEXISTS', KEYS[4], 'zones_before') == 0 then
    redis.call('HSET', KEYS[4], 'zones_before', z[1] ~= ARGV[9] and z[1] or 'unknown')
  end
  redis.call('HSET', KEYS[4], 'zones', ARGV[9], 'zones_term', ARGV[6])
end
if f[2] ~= ARGV[6] then
  redis.call('HSET', KEYS[3], 'epoch', ARGV[5], 'term', ARGV[6])
  event('leader_elected', '', '', '', '', node, ARGV[6], ARGV[8])
  publish()
end
return {'OK'}
