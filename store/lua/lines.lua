-- lines: keep what handlers wrote.
-- KEYS[1..] log:<run> (stream), one per run
-- ARGV[1] lines kept per run  ARGV[2] life, s  then per line: index of its key, id, text
-- Returns OK. An id is attempt-number, so a line that does not come after the last one is there
-- already, or of an attempt that another has followed: it is dropped.
for i = 3, #ARGV, 3 do
  local key = KEYS[tonumber(ARGV[i])]
  redis.pcall('XADD', key, 'MAXLEN', ARGV[1], ARGV[i + 1], 'l', ARGV[i + 2])
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[2]) end
return 'OK'
