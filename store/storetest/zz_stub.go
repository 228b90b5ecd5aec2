package storetest
var finishTests []conformance
var leaseTests []conformance
var reclaimTests []conformance
var recordTests []conformance
var lostReplyTests []conformance
var partitionTests []conformance
var modelTests []conformance
