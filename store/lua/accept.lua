-- accept: open the fence to another incarnation of etcd, by the word of an operator. Offices under the
-- old one are refused from then on; the dispatch sequence stays.
-- KEYS[1] fence (hash)
-- ARGV[1] epoch
-- Returns 1 when the fence was another's, else 0.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch or epoch == ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'epoch', 'term')
return 1
