-- remove: delete a job; the uid stays known so that its runs are cancelled when they are taken up. Those that
-- are in line clear_line cancels after it.
-- KEYS[3] run_times (zset)  KEYS[4] op (string)  KEYS[5] history (list)  KEYS[6] removed (zset)
-- KEYS[7] calendars (hash)  KEYS[8] calendar_jobs (hash)  KEYS[9] old_slots (hash)
-- ARGV[5] op life, s  ARGV[6] id  ARGV[7] slot  ARGV[8] uid, or '' for whichever there is
-- Returns the uid removed, a tab, the slot and those of earlier keys, with spaces between, or MISSING; a repeated op gets the answer of the first.
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
local value = redis.call('HGET', KEYS[2], ARGV[6])
if not value then return 'MISSING' end
local uid = string.match(value, '^%S+ (%S+)') or ''
if ARGV[8] ~= '' and ARGV[8] ~= uid then return 'MISSING' end
redis.call('HDEL', KEYS[2], ARGV[6])
redis.call('ZREM', KEYS[3], ARGV[6])
refer(KEYS[7], KEYS[8], ARGV[6], '')
if uid ~= '' then redis.call('ZADD', KEYS[6], now, uid) end
redis.call('EXPIRE', KEYS[5], ARGV[2])
event('job_removed', ARGV[6], '', '', '', node, '', 'removed')
publish()
answer = uid .. '\t' .. ARGV[7] .. string.match(redis.call('HGET', KEYS[9], uid) or '', '^%S*(.*)$')
redis.call('HDEL', KEYS[9], uid)
redis.call('SET', KEYS[4], answer, 'EX', ARGV[5])
return answer
