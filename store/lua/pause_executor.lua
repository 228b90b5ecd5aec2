-- pause_executor: have nodes start no run of an executor in one partition, or let them again.
-- KEYS[3] paused_executors (hash)  KEYS[4] op (string)
-- ARGV[5] op life, s  ARGV[6] wake channel  ARGV[7] executor  ARGV[8] '1' to pause, '0' to resume
-- ARGV[9] reason
-- Returns CHANGED | SAME (it was so already, and keeps its first reason); a repeated op gets the
-- answer of the first.
local answer = redis.call('GET', KEYS[4])
if answer then return answer end
local cause = ARGV[7] .. (ARGV[9] ~= '' and ': ' .. ARGV[9] or '')
answer = 'CHANGED'
if redis.call('HEXISTS', KEYS[3], ARGV[7]) == tonumber(ARGV[8]) then
  answer = 'SAME'
elseif ARGV[8] == '1' then
  redis.call('HSET', KEYS[3], ARGV[7], ms(now) .. '\t' .. ARGV[9])
  event('executor_paused', '', '', '', '', node, '', cause)
else
  redis.call('HDEL', KEYS[3], ARGV[7])
  event('executor_resumed', '', '', '', '', node, '', cause)
end
publish()
redis.call('SET', KEYS[4], answer, 'EX', ARGV[5])
redis.call('PUBLISH', ARGV[6], 'executor')
return answer
