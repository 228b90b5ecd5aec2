-- rolled_back: say once that the dispatch sequence went back, and set it to what was known.
-- KEYS[3] fence (hash)
-- ARGV[7] the sequence that is known to have been  ARGV[8] event
-- Returns OK | {SEEN} when it is that far: another has said it | {FENCED, …}.
local seq = tonumber(redis.call('HGET', KEYS[3], 'seq') or '0') or 0 -- one that cannot be read has gone back
if seq >= tonumber(ARGV[7]) then return {'SEEN'} end
redis.call('HSET', KEYS[3], 'seq', ARGV[7])
log[#log + 1] = ARGV[8]
publish()
return {'OK'}
