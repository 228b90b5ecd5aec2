-- note: append events that no other script raises (a node joined, a leader was lost, …).
-- ARGV[5..] event lines
-- Returns OK.
for i = 5, #ARGV do log[#log + 1] = ARGV[i] end
publish()
return 'OK'
