-- messages: what scripts do with messages, after lib; not a script of its own.

-- parse reads the fields of a message that scripts need; its text stays whole, attempt is text. at is
-- where its line of runs begins. A text that is no message has no runs, no job and no uid.
local function parse(text)
  local a, max, grace, overlap, uid, job, slot, at = string.match(text or '',
    '^1\t(%d+)\t(%d+)\t(%-?%d+)\t(%a*)\t([^\t]*)\t([^\t]*)\t[^\t]*\t%d+\t%d+\t([^\t]*)\t[^\n]*\n()')
  if not at then return {attempt = '1', max = 0, grace = -1, overlap = '', uid = '', job = '', slot = '', text = text or '', at = #(text or '') + 1} end
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
  local rows = {}
  for id, sched in string.gmatch(runsOf(m), '([^@,]+)@(%-?%d+)@') do
    rows[#rows + 1] = row(outcome, id, sched, m.attempt, node, '', '1', '', cause, '')
    event(kind, m.job, id, sched, m.attempt, node, '', cause)
  end
  pushAll(history, m.job, rows)
end

-- judge closes as missed the leading runs of m that are beyond its grace, and returns how many; the
-- others stay. A run is judged before its first attempt only. why begins the cause. It reads the line of
-- runs from place to place and cuts it once, so that the cost grows with the line and not with its square.
local function judge(m, history, why)
  if m.grace < 0 or m.attempt ~= '1' then return 0 end
  local rows, at, grace = {}, m.at, ms(m.grace)
  while true do
    local id, sched, due, after = string.match(m.text, '^([^@,\n]+)@(%-?%d+)@(%-?%d+),?()', at)
    local late = id and now - tonumber(due)
    if not id or late <= m.grace then break end
    local cause = (why or '') .. 'late by ' .. ms(late) .. ' ms, grace is ' .. grace .. ' ms'
    rows[#rows + 1] = row('missed', id, sched, '1', node, '', '1', '', cause, '')
    event('job_missed', m.job, id, sched, '1', node, '', cause)
    at = after
  end
  if #rows == 0 then return 0 end
  pushAll(history, m.job, rows)
  m.text = string.sub(m.text, 1, m.at - 1) .. string.sub(m.text, at)
  return #rows
end
