-- forget: one step of the pass that forgets the uids of removed jobs (decision 0025).
-- KEYS[4] removed (zset)  KEYS[5] housekeeping (hash)  KEYS[6] removed_dead (set)
-- KEYS[7] old_slots (hash)
-- ARGV[7] the state that was read, or ''  ARGV[8] the state after it  ARGV[9] number of the pass
-- ARGV[10] what to do:
--   number: the uids whose score is the time of their removal get the number of the pass as score
--   mark: the given uids are referred to, so they get the number of the next pass
--   dead: the given uids are those that dead refers to; those that would be forgotten go to removed_dead,
--     which keeps no others
--   drop: forget the uids that have the number of the pass, or one before
--   slots: the jobs with the given uids are gone, and with them what old_slots has of them
-- ARGV[11] how many uids one step numbers or drops  ARGV[12] the state after it when there were as many
-- ARGV[13..] uids
-- Returns {how many}, {MOVED} when another call has made this step, or {FENCED, …}.
if (redis.call('HGET', KEYS[5], 'forget') or '') ~= ARGV[7] then return {'MOVED'} end
local pass, what, limit, n = ARGV[9], ARGV[10], tonumber(ARGV[11]), 0
local function some(from, to)
  local uids = redis.call('ZRANGEBYSCORE', KEYS[4], from, to, 'LIMIT', 0, limit)
  n = #uids
  return uids
end
-- score makes the members that are there have a score: those of uids, from a place on.
local function score(uids, from, value, how)
  local all = {}
  for i = from, #uids do all[#all + 1], all[#all + 2] = value, uids[i] end
  if #all > 0 then redis.call('ZADD', KEYS[4], 'XX', how, unpack(all)) end
end
if what == 'number' then
  score(some('(99999999999', '+inf'), 1, pass, 'LT') -- a number of a pass is lower than any time since 1973
elseif what == 'mark' then
  score(ARGV, 13, ms(pass + 1), 'GT')
elseif what == 'dead' then
  local known = {}
  for i = 13, #ARGV do
    local number = redis.call('ZSCORE', KEYS[4], ARGV[i])
    if number and tonumber(number) <= tonumber(pass) then redis.call('SADD', KEYS[6], ARGV[i]) end
    known[ARGV[i]] = true
  end
  for _, uid in ipairs(redis.call('SMEMBERS', KEYS[6])) do
    if not known[uid] then redis.call('SREM', KEYS[6], uid) end
  end
elseif what == 'slots' then
  if #ARGV > 12 then redis.call('HDEL', KEYS[7], unpack(ARGV, 13)) end
else
  local uids = some('-inf', pass)
  if n > 0 then redis.call('ZREM', KEYS[4], unpack(uids)) end
end
redis.call('HSET', KEYS[5], 'forget', n < limit and ARGV[8] or ARGV[12])
return {tostring(n)}
