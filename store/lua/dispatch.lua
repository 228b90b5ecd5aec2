-- dispatch: advance due jobs and put their runs into the streams, all or nothing per job.
-- KEYS[4] paused (string)  KEYS[5] run_times (zset)  KEYS[6] calendars (hash)
-- KEYS[7] calendar_jobs (hash)  KEYS[8] the usual stream  then the histories of the jobs that finish, then
-- other streams and histories
-- ARGV[7] jobs  ARGV[8] how many bodies, of whichever jobs, may share an entry of a stream (m1, m2, …)
-- ARGV[9] how many of the jobs finish  ARGV[10] the latest time dispatched, of all, ms
-- ARGV[11] how many texts their events are, each for an entry of the log  ARGV[12] for each job "latest time length of its
-- events;"  ARGV[13] how many jobs are not usual
-- then the texts; then by columns, each in the order of the jobs: ids; headers that were read; headers to store, '' for a
--   job that finishes, unless all do; next run times in ms of those that go on
-- then per job that is not usual: which it is, index of its stream, of its history (0 if it has no rows), version of
--   the calendars it was decided with or '', rows (with a newline between two), how many bodies, and '' or index of
--   backlogs (hash), a space, and uid and last run with a tab between if its backlog goes on
-- then the bodies: one of each usual job, for the usual stream; each behind its field's name, m1 to m8 in turn
-- Returns {now, the sequence if it grew or '', tag, tag, …} with OK | STALE | NOT_DUE per job, or no
-- tags when all are OK; or {FENCED, …} | {PAUSED}.
local packs, set, when, gone, histories = {}, {}, {}, {}, {}
local plain = ARGV[13] == '0' and not next(refused) -- as most calls are
if plain then
  for k = at, #ARGV, share do redis.call('XADD', KEYS[8], '*', unpack(ARGV, k, math.min(k + share - 1, #ARGV))) end
end
local ended, going = 8, times -- of the jobs so far: the last history, the last next run time
local function add(stream, body)
  local pack = packs[stream] or {}
  local size = #pack
  pack[size + 1], pack[size + 2], packs[stream] = 'm' .. (size / 2 + 1), body, pack
  if size + 2 >= share then
    redis.call('XADD', stream, '*', unpack(pack))
    packs[stream] = nil
  end
end
-- finish removes jobs, named from one place of a table to another, and gives their histories, likewise, a life.
local function finish(jobs, first, last, keys, from, to)
  redis.call('HDEL', KEYS[2], unpack(jobs, first, last))
  redis.call('ZREM', KEYS[5], unpack(jobs, first, last))
  if redis.call('EXISTS', unpack(keys, from, to)) > 0 then
    for k = from, to do redis.call('EXPIRE', keys[k], ARGV[2]) end
  end
end
for i = 1, plain and f == n and 0 or n do
  local o, stream, bodies = odd[i], KEYS[8], 1
  if o then stream, bodies = KEYS[tonumber(ARGV[o + 1])], tonumber(ARGV[o + 5]) end
  local new = f < n and ARGV[news + i] or ''
  if new == '' then ended = ended + 1 else going = going + 1 end
  if not refused[i] then
    if not plain then
      for k = at + 1, at + 2 * bodies, 2 do add(stream, ARGV[k]) end
    end
    if new == '' then
      gone[#gone + 1], histories[#histories + 1] = ARGV[ids + i], KEYS[ended]
      if o and ARGV[o + 3] ~= '' then refer(KEYS[6], KEYS[7], ARGV[ids + i], '') end
    else
      set[#set + 1], set[#set + 2] = ARGV[ids + i], new .. string.sub(values[i], #ARGV[olds + i] + 1)
      when[#when + 1], when[#when + 2] = ARGV[going], ARGV[ids + i]
    end
    if o then lineUp(ARGV[ids + i], ARGV[o + 6]) end
    if o and ARGV[o + 4] ~= '' then
      local history = KEYS[tonumber(ARGV[o + 2])]
      for row in string.gmatch(ARGV[o + 4], '[^\n]+') do push(history, ARGV[ids + i], row) end
    end
  end
  at = at + 2 * bodies
end
for stream, pack in pairs(packs) do redis.call('XADD', stream, '*', unpack(pack)) end
if #set > 0 then
  redis.call('HSET', KEYS[2], unpack(set))
  redis.call('ZADD', KEYS[5], unpack(when))
end
if plain and f == n then
  finish(ARGV, ids + 1, ids + n, KEYS, 9, 8 + n)
elseif #gone > 0 then
  finish(gone, 1, #gone, histories, 1, #gone)
end
local reply = {stamp, (#log > 0 or texts > 0) and string.format('%.0f', redis.call('HINCRBY', KEYS[3], 'seq', 1)) or ''}
if next(refused) then
  for i = 1, n do reply[2 + i] = refused[i] or 'OK' end
end
for k = 14, 13 + texts do note(ARGV[k]) end
publish()
return reply
