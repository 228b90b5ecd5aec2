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

-- publish writes what is in log: entries of up to 64 events and 8 KiB, or of one longer text. Texts of
-- several events come from Go, which keeps them within these bounds, and are written by note.
local function note(text)
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'e', text)
end
local function publish()
  local from, bytes = 1, 0
  for i = 1, #log do
    bytes = bytes + #log[i] + 1
    if i > from and (i - from >= 64 or bytes > 8192) then
      note(table.concat(log, '\n', from, i - 1))
      from, bytes = i, #log[i] + 1
    end
  end
  if log[from] then note(log[from + 1] and table.concat(log, '\n', from) or log[from]) end
end

-- scoreOf reads a score, also one that is no time; counter a counter of a slot: one that cannot be read counts as
-- full until audit has mended it.
local function scoreOf(text) return text == 'inf' and math.huge or text == '-inf' and -math.huge or tonumber(text) end
local function counter(text) return tonumber(text or '0') or 1e9 end

-- push adds history rows, the oldest first; the history of a job that is gone gets a life.
local function push(key, job, ...)
  local n, more = redis.call('LPUSH', key, ...), select('#', ...)
  if n > tonumber(ARGV[1]) then
    redis.call('LTRIM', key, 0, ARGV[1] - 1)
  elseif n == more and string.byte(job) ~= 64 and redis.call('HEXISTS', KEYS[2], job) == 0 then -- '@', of ad-hoc runs
    redis.call('EXPIRE', key, ARGV[2])
  end
end
local function pushAll(key, job, rows)
  for i = 1, #rows, 1000 do push(key, job, unpack(rows, i, math.min(i + 999, #rows))) end
end

local function row(outcome, run, sched, attempt, who, started, count, last, cause, err)
  return started .. '\t' .. stamp .. '\t' .. outcome .. '\t' .. run .. '\t' .. sched .. '\t' .. attempt .. '\t' .. who .. '\t' ..
    count .. '\t' .. last .. '\t' .. cause .. '\t' .. err .. '\t'
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
