-- lib: what every script that writes begins with; not a script of its own.
-- KEYS[1] events (stream)  KEYS[2] jobs (hash)
-- ARGV[1] rows kept per history  ARGV[2] life of a history without its job, s
-- ARGV[3] entries kept in events  ARGV[4] node
local TIME = redis.call('TIME')
local now = TIME[1] * 1000 + math.floor(TIME[2] / 1000)
local node, log = ARGV[4], {}

local function ms(n) return string.format('%.0f', n) end
local stamp = ms(now)

local function event(kind, job, run, sched, attempt, who, term, cause)
  log[#log + 1] = kind .. '\t' .. job .. '\t' .. run .. '\t' .. sched .. '\t' .. attempt .. '\t' .. who .. '\t' .. term .. '\t' .. cause
end

local function publish()
  if #log > 0 then -- what is whole already need not be made again
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'e', log[2] and table.concat(log, '\n') or log[1])
  end
end

-- push adds a history row; the history of a job that is gone gets a life.
local function push(key, job, row)
  local n = redis.call('LPUSH', key, row)
  if n > tonumber(ARGV[1]) then
    redis.call('LTRIM', key, 0, ARGV[1] - 1)
  elseif n == 1 and string.sub(job, 1, 1) ~= '@' and redis.call('HEXISTS', KEYS[2], job) == 0 then
    redis.call('EXPIRE', key, ARGV[2])
  end
end

local function row(outcome, run, sched, attempt, who, started, count, last, cause, err)
  return started .. '\t' .. stamp .. '\t' .. outcome .. '\t' .. run .. '\t' .. sched .. '\t' .. attempt .. '\t' .. who .. '\t' ..
    count .. '\t' .. last .. '\t' .. cause .. '\t' .. err .. '\t'
end

-- parse reads the fields of a message that scripts need; its text stays whole, attempt is text. at is
-- where its line of runs begins.
local function parse(text)
  local a, max, grace, overlap, uid, job, slot, at = string.match(text,
    '^1\t(%d+)\t(%d+)\t(%-?%d+)\t(%a*)\t([^\t]*)\t([^\t]*)\t[^\t]*\t%d+\t%d+\t([^\t]*)\t[^\n]*\n()')
  return {attempt = a, max = tonumber(max), grace = tonumber(grace), overlap = overlap,
    uid = uid, job = job, slot = slot, text = text, at = at}
end

local function first(m)
  return string.match(m.text, '^([^@\n]+)@(%-?%d+)@(%-?%d+)', m.at)
end

local function runsOf(m) return string.match(m.text, '^[^\n]*', m.at) end

-- keepRuns makes a line of runs, maybe empty, those of m.
local function keepRuns(m, line)
  m.text = string.sub(m.text, 1, m.at - 1) .. line .. string.match(m.text, '\n.*', m.at)
end

-- skip closes every run of m without a start, with one outcome.
local function skip(m, history, outcome, kind, cause)
  for id, sched in string.gmatch(runsOf(m), '([^@,]+)@(%-?%d+)@') do
    push(history, m.job, row(outcome, id, sched, m.attempt, node, '', '1', '', cause, ''))
    event(kind, m.job, id, sched, m.attempt, node, '', cause)
  end
end

-- judge closes as missed the leading runs of m that are beyond its grace, and returns how many; the
-- others stay. A run is judged before its first attempt only. why begins the cause.
local function judge(m, history, why)
  local n = 0
  while m.grace >= 0 and m.attempt == '1' do
    local id, sched, due = first(m)
    if not id then break end
    local late = now - tonumber(due)
    if late <= m.grace then break end
    local cause = (why or '') .. 'late by ' .. ms(late) .. ' ms, grace is ' .. ms(m.grace) .. ' ms'
    push(history, m.job, row('missed', id, sched, '1', node, '', '1', '', cause, ''))
    event('job_missed', m.job, id, sched, '1', node, '', cause)
    keepRuns(m, string.match(runsOf(m), '^[^,]*,(.*)$') or '')
    n = n + 1
  end
  return n
end

-- held reads a value of running. Who has it and since when come first: all runs of one start call share them.
local function held(value)
  local owner, started, attempt, slot, executor, cancel, text =
    string.match(value, '^([^\t]*)\t(%d+)\t(%d+)\t([^\t]*)\t([^\t]*)\t(%d)\n(.*)$')
  return {owner = owner, attempt = attempt, slot = slot, executor = executor, started = started,
    cancel = cancel, text = text}
end

local function hold(owner, m, slot, executor)
  return owner .. '\t' .. stamp .. '\t' .. m.attempt .. '\t' .. slot .. '\t' .. executor .. '\t0\n' .. m.text
end
