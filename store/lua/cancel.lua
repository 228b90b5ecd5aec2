-- cancel: ask the node that has a run to cancel it.
-- KEYS[3] running (hash)  KEYS[4] delayed_runs (hash)
-- ARGV[5] wake channel  ARGV[6] run id
-- Returns CANCELLING | DELAYED (it is not with a node, but in backoff: withdraw it) | MISSING.
local value = redis.call('HGET', KEYS[3], ARGV[6])
if not value then return redis.call('HEXISTS', KEYS[4], ARGV[6]) == 1 and 'DELAYED' or 'MISSING' end
local h = held(value)
if h.cancel == '0' then
  local head = table.concat({h.owner, h.started, h.attempt, h.slot, h.executor, '1'}, '\t')
  redis.call('HSET', KEYS[3], ARGV[6], head .. '\n' .. h.text)
end
redis.call('PUBLISH', ARGV[5], 'cancel')
return 'CANCELLING'
