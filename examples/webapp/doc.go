// Webapp is a web service that embeds a node. Start several of it with the same etcd and Redis:
// together they are one scheduler, each nightly report is made by one of them, and any of them
// takes requests for further ones.
//
//	go run ./examples/webapp -listen 127.0.0.1:8081 &
//	go run ./examples/webapp -listen 127.0.0.1:8082 &
//	curl -X POST http://127.0.0.1:8082/reports
//	curl http://127.0.0.1:8081/reports
package main
