-- postpone: move messages of an entry this node cannot run to delayed, no attempt counted, and
-- put the other messages of the entry back.
-- KEYS[3] stream (stream)  KEYS[4] delayed (zset)  KEYS[5] delayed_runs (hash)  KEYS[6] unserved (hash)
-- ARGV[5] group  ARGV[6] consumer  ARGV[7] entry id  ARGV[8] delay, ms  ARGV[9] messages to postpone
-- then the bodies to postpone; then a mark for each: '', or "executor task", with a tab between, when no
-- live node of the executor serves the task: its pause doubles from 1 s to 30 s; then those to put back
-- Returns OK | GONE when the entry is not in the own pending list.
if #redis.call('XPENDING', KEYS[3], ARGV[5], ARGV[7], ARGV[7], 1, ARGV[6]) == 0 then return 'GONE' end
local n, back = tonumber(ARGV[9]), {}
for i = 10, 9 + n do
  local id, pause, mark = first(parse(ARGV[i])), tonumber(ARGV[8]), ARGV[i + n]
  if mark ~= '' then
    local since, last = string.match(redis.call('HGET', KEYS[6], id) or '', '^(%d+)\t(%d+)\t')
    pause = math.min(2 * (last or 500), 30000)
    redis.call('HSET', KEYS[6], id, (since or stamp) .. '\t' .. ms(pause) .. '\t' .. mark)
  else
    redis.call('HDEL', KEYS[6], id)
  end
  redis.call('ZADD', KEYS[4], ms(now + pause), id)
  redis.call('HSET', KEYS[5], id, ARGV[i])
end
for i = 10 + 2 * n, #ARGV do
  back[#back + 1] = 'm' .. (#back / 2 + 1)
  back[#back + 1] = ARGV[i]
end
if #back > 0 then redis.call('XADD', KEYS[3], '*', unpack(back)) end
redis.call('XACK', KEYS[3], ARGV[5], ARGV[7])
redis.call('XDEL', KEYS[3], ARGV[7])
return 'OK'
