package memory

import (
	"crypto/sha1" // by its sums Redis knows scripts
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// newState makes the interpreter that runs all scripts, one at a time.
func (s *Server) newState() *lua.LState {
	l := lua.NewState(lua.Options{SkipOpenLibs: true, RegistrySize: 1 << 12, RegistryMaxSize: 1 << 20, RegistryGrowStep: 1 << 12})
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString, lua.MathLibName: lua.OpenMath,
	} {
		l.Push(l.NewFunction(open))
		l.Push(lua.LString(name))
		l.Call(1, 0)
	}
	table := func(field string) lua.LGFunction {
		return func(l *lua.LState) int {
			t := l.NewTable()
			t.RawSetString(field, lua.LString(l.CheckString(1)))
			l.Push(t)
			return 1
		}
	}
	l.SetGlobal("redis", l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{
		"call":        func(l *lua.LState) int { return s.call(l, true) },
		"pcall":       func(l *lua.LState) int { return s.call(l, false) },
		"error_reply": table("err"), "status_reply": table("ok"),
		"sha1hex": func(l *lua.LState) int {
			l.Push(lua.LString(digest(l.CheckString(1))))
			return 1
		},
	}))
	return l
}

// call is redis.call, or redis.pcall, which returns a fault instead of raising it.
func (s *Server) call(l *lua.LState, raise bool) int {
	args := make([]string, l.GetTop())
	for i := range args {
		switch v := l.Get(i + 1).(type) {
		case lua.LString:
			args[i] = string(v)
		case lua.LNumber:
			args[i] = number(float64(v))
		default:
			l.RaiseError("redis.call: arguments must be strings or integers")
		}
	}
	if len(args) == 0 {
		l.RaiseError("redis.call: at least one argument is needed")
	}
	reply := s.do(args)
	if _, failed := reply.(fault); failed && raise {
		l.Error(toLua(l, reply), 1) // as a table it keeps its words, which begin with its code
	}
	l.Push(toLua(l, reply))
	return 1
}

func toLua(l *lua.LState, reply any) lua.LValue {
	named := func(field, text string) lua.LValue {
		t := l.NewTable()
		t.RawSetString(field, lua.LString(text))
		return t
	}
	switch v := reply.(type) {
	case string:
		return lua.LString(v)
	case int64:
		return lua.LNumber(v)
	case status:
		return named("ok", string(v))
	case fault:
		return named("err", string(v))
	case []any:
		t := l.CreateTable(len(v), 0)
		for i, part := range v {
			t.RawSetInt(i+1, toLua(l, part))
		}
		return t
	}
	return lua.LFalse
}

// fromLua makes a reply of what a script returned.
func fromLua(value lua.LValue) any {
	switch v := value.(type) {
	case lua.LString:
		return string(v)
	case lua.LNumber:
		return int64(v)
	case lua.LBool:
		if v {
			return int64(1)
		}
	case *lua.LTable:
		if err, is := v.RawGetString("err").(lua.LString); is {
			return fault(err)
		}
		if text, is := v.RawGetString("ok").(lua.LString); is {
			return status(text)
		}
		all := []any{}
		for i := 1; v.RawGetInt(i) != lua.LNil; i++ {
			all = append(all, fromLua(v.RawGetInt(i)))
		}
		return all
	}
	return nil
}

// eval is EVAL: script, number of keys, keys, arguments. It remembers the script.
func (s *Server) eval(args []string) any {
	name := digest(args[0])
	if s.scripts[name] == nil {
		if err := s.compile(name, args[0]); err != nil {
			return faultf("Error compiling script: %s", oneLine(err))
		}
	}
	return s.evalKnown(append([]string{name}, args[1:]...))
}

func digest(source string) string {
	sum := sha1.Sum([]byte(source))
	return hex.EncodeToString(sum[:])
}

func (s *Server) compile(name, source string) error {
	if rest, marked := strings.CutPrefix(source, "#!"); marked {
		_, source, _ = strings.Cut(rest, "\n") // its flags are about memory and replicas
	}
	chunk, err := parse.Parse(strings.NewReader(source), "script")
	if err != nil {
		return fmt.Errorf("memory: script %s: %w", name, err)
	}
	proto, err := lua.Compile(chunk, "script")
	if err != nil {
		return fmt.Errorf("memory: script %s: %w", name, err)
	}
	s.scripts[name] = proto
	return nil
}

// evalKnown is EVALSHA: digest, number of keys, keys, arguments.
func (s *Server) evalKnown(args []string) any {
	proto := s.scripts[args[0]]
	if proto == nil {
		return fault("NOSCRIPT No matching script. Please use EVAL.")
	}
	keys := int(integer(args[1]))
	if keys < 0 || keys > len(args)-2 {
		return faultf("Number of keys can't be greater than number of args")
	}
	l := s.state
	for name, values := range map[string][]string{"KEYS": args[2 : 2+keys], "ARGV": args[2+keys:]} {
		t := l.CreateTable(len(values), 0)
		for i, v := range values {
			t.RawSetInt(i+1, lua.LString(v))
		}
		l.SetGlobal(name, t)
	}
	defer l.SetTop(0)
	l.Push(l.NewFunctionFromProto(proto))
	if err := l.PCall(0, 1, nil); err != nil {
		if raised, is := errors.AsType[*lua.ApiError](err); is {
			if f, is := fromLua(raised.Object).(fault); is {
				return f
			}
		}
		return faultf("%s", oneLine(err))
	}
	return fromLua(l.Get(-1))
}

func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return first
}

func (s *Server) script(args []string) any {
	switch strings.ToUpper(args[0]) {
	case "FLUSH":
		clear(s.scripts)
		return ok
	case "LOAD":
		if len(args) > 1 {
			if err := s.compile(digest(args[1]), args[1]); err != nil {
				return faultf("Error compiling script: %s", oneLine(err))
			}
			return digest(args[1])
		}
	}
	return syntax
}
