-- life: begin a life of a name with a token, or answer with the token that its present life began with.
-- KEYS[1] op (string)
-- ARGV[1] life, s  ARGV[2] token
-- Returns the token that is kept.
redis.call('SET', KEYS[1], ARGV[2], 'NX', 'EX', ARGV[1])
return redis.call('GET', KEYS[1])
