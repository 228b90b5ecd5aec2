package storetest
var reclaimTests []conformance
var recordTests []conformance
var lostReplyTests []conformance
var partitionTests []conformance
var modelTests []conformance
