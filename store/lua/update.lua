-- update: replace a stored job if nothing happened to it since it was read.
-- KEYS[3] run_times (zset)  KEYS[4] op (string)  KEYS[5] history (list)
-- ARGV[5] op life, s  ARGV[6] wake channel  ARGV[7] id  ARGV[8] header that was read
-- ARGV[9] header and record  ARGV[10] next run time, Unix ms, or '' for none
-- ARGV[11] event kind  ARGV[12] cause
-- KEYS[6] calendars (hash)  KEYS[7] calendar_jobs (hash)
-- ARGV[13] version of the calendars, or '' when it does not matter  ARGV[14] those it refers to, or ' '
-- when they stay  ARGV[15] slot that the job gives up for another, or ''  ARGV[16..] history rows
-- KEYS[8] old_slots (hash)
-- Returns UPDATED | CHANGED (it or the calendars were) | MISSING | NO_CALENDAR name; a repeated op
-- gets the answer of the first.
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
local value = redis.call('HGET', KEYS[2], ARGV[7])
if not value then return 'MISSING' end
if string.sub(value, 1, #ARGV[8]) ~= ARGV[8] then return 'CHANGED' end
local fault = lacking(KEYS[6], ARGV[13], ARGV[14])
if fault then return fault end
redis.call('HSET', KEYS[2], ARGV[7], ARGV[9])
if ARGV[15] ~= '' then -- its runs may be in line there until the job is removed
  local uid = string.match(value, '^%S+ (%S+)') or ''
  local old = redis.call('HGET', KEYS[8], uid) or ARGV[7]
  if not string.find(old .. ' ', ' ' .. ARGV[15] .. ' ', 1, true) and #old < 8192 then
    redis.call('HSET', KEYS[8], uid, old .. ' ' .. ARGV[15])
  end
end
if ARGV[10] == '' then
  redis.call('ZREM', KEYS[3], ARGV[7])
else
  redis.call('ZADD', KEYS[3], ARGV[10], ARGV[7])
end
if ARGV[14] ~= ' ' then refer(KEYS[6], KEYS[7], ARGV[7], ARGV[14]) end
for i = 16, #ARGV do push(KEYS[5], ARGV[7], ARGV[i]) end
event(ARGV[11], ARGV[7], '', '', '', node, '', ARGV[12])
publish()
redis.call('SET', KEYS[4], 'UPDATED', 'EX', ARGV[5])
redis.call('PUBLISH', ARGV[6], ARGV[10])
return 'UPDATED'
