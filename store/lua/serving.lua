-- serving: keep which tasks the live nodes of each executor serve, for a while.
-- KEYS[4] served (hash)  KEYS[5] registry (hash)
-- ARGV[7] for how long, s  then per executor: its name, its tasks with a newline between two
-- Returns OK, or {FENCED, …}.
redis.call('DEL', KEYS[4])
for i = 8, #ARGV, 2 do redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[4], ARGV[7])
redis.call('HSET', KEYS[5], 'served', '1') -- from now on nothing in served means that nobody serves
return {'OK'}
