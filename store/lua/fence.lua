-- fence: what every script of the leader begins with, after lib; not a script of its own.
-- KEYS[3] fence (hash)  ARGV[5] epoch  ARGV[6] term
do
  local f = redis.call('HMGET', KEYS[3], 'epoch', 'term')
  if f[1] ~= ARGV[5] or f[2] ~= ARGV[6] then return {'FENCED', f[1] or '', f[2] or ''} end
end
