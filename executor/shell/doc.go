// Package shell is the built-in task shell: it runs one attempt of a run as one local program.
//
// There is no shell in it. A job gives {"argv":[…],"env":{…},"cwd":…}; argv[0] is looked up in a
// fixed PATH, its symbolic links are followed, and the program file that comes of it must be one
// that the node's operator has allowed. With an empty allow list every program is refused.
//
// # Guarantees
//
// The program that runs is the file that was compared with the allow list. An allowed symbolic link
// opens its program under the link's own name only, so that allowing ls on a system where it is a
// link to a multi-call binary does not allow sh; an allowed program file is open under every name.
//
// The program starts with standard input from /dev/null, in the directory / unless cwd is given, in
// a process group of its own and with an environment of exactly: PATH, the job's env, and
// CARILLON_STORE, CARILLON_JOB_ID, CARILLON_RUN_ID, CARILLON_SCHEDULED_TIME and CARILLON_ATTEMPT,
// which win over the job's. Names in env that steer the loader or an interpreter are refused.
//
// When ctx ends the group gets SIGTERM, and SIGKILL after Config.KillGrace. When the program has
// exited, whatever is left of its group gets SIGKILL at once. Do returns after the program was
// reaped, and never waits for a process that left the group while holding the output open. On
// Linux the program is also killed when the node dies. Of the output the last Config.OutputCap
// bytes are kept, in bounded memory, however much is written.
//
// # Not guaranteed
//
// A process that leaves the group (setsid) is not found again. When the node is killed, children of
// the program survive it. On systems other than Linux the group is signalled after the program was
// reaped. The allow list says which programs run, not what they do: who may write jobs steers an
// allowed program through its arguments and environment, so an allowed interpreter allows
// everything. Allowed files must not be writable by others. Systems without process groups are not
// supported: New fails there.
package shell
