package devstack

import (
	"github.com/hashicorp/go-hclog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapTo returns a zap logger that writes to log, or nowhere if log is nil. etcd warns about much
// that is no concern of a private cluster, so its warnings are debug lines here and its errors
// warnings. A fatal error panics with its message instead of ending the process without a word.
func zapTo(log hclog.Logger) *zap.Logger {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	return zap.New(&hclogCore{log: log}, zap.WithFatalHook(zapcore.WriteThenPanic))
}

// hclogCore is a zapcore.Core on an hclog.Logger.
type hclogCore struct{ log hclog.Logger }

func (c *hclogCore) Enabled(l zapcore.Level) bool { return l >= zapcore.WarnLevel }

func (c *hclogCore) With(fields []zapcore.Field) zapcore.Core {
	return &hclogCore{log: c.log.With(pairs(fields)...)}
}

func (c *hclogCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

func (c *hclogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	kv := append([]any{"message", e.Message}, pairs(fields)...)
	if e.Level >= zapcore.ErrorLevel {
		c.log.Warn("etcd error", kv...)
	} else {
		c.log.Debug("etcd warning", kv...)
	}
	return nil
}

func (c *hclogCore) Sync() error { return nil }

func pairs(fields []zapcore.Field) []any {
	enc := zapcore.NewMapObjectEncoder()
	kv := make([]any, 0, 2*len(fields))
	for _, f := range fields {
		f.AddTo(enc)
	}
	for k, v := range enc.Fields {
		kv = append(kv, k, v)
	}
	return kv
}
