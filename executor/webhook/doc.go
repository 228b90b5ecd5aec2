// Package webhook is the built-in task http: it delivers one attempt of a run as one HTTP request.
//
// A request without a body of its own posts
//
//	{"store":…,"job_id":…,"run_id":…,"scheduled_time":…,"attempt":…,"args":{"url":…,"method":…}}
//
// where args are the job's arguments less headers, which may hold credentials. With body in the
// arguments that JSON is sent byte for byte (a JSON string as its raw text), and GET and HEAD send
// nothing; the headers Carillon-Store, Carillon-Job-Id, Carillon-Run-Id, Carillon-Scheduled-Time and
// Carillon-Attempt tell about the run in every case. Every request carries webhook-id, which is the
// run id, webhook-timestamp and, when a secret is set, webhook-signature after Standard Webhooks
// (https://www.standardwebhooks.com, scheme v1, HMAC-SHA256). Header names of these families and
// those that frame the message cannot be set by a job.
//
// # Guarantees
//
// The address is judged when the connection is made, after the name was resolved, on the very
// address that is dialled: a name that changes its answer between a check and its use gains
// nothing. Unless a prefix of Config.Allow covers it, no connection is made to an address that is
// not a public one: private, loopback, link-local, shared (CGNAT), metadata, multicast, unspecified,
// reserved, and the IPv4-mapped and NAT64 forms of those. Public addresses are always open. No
// redirect is followed, no proxy is used, compressed answers are not unpacked, and what is read of
// an answer is bounded, as is the time of a delivery. Success is a status from 200 to 299 and
// nothing else.
//
// Errors name the host, never the path, query or headers of the request, and quote at most
// 256 bytes of the answer.
//
// # Not guaranteed
//
// Delivery happens at least once, not once: a receiver that answers late may see the run again as a
// further attempt, and tells repeats by webhook-id. A prefix in Config.Allow opens all ports of its
// addresses. A public address that forwards to a private network is not recognised.
package webhook
