// Package store knows how results outlive a power cut: one bbolt file that
// holds results, the pictures an operator asked for, sessions, the journal of
// events, the calls of the API and the credentials of who may call.
//
// # What is promised
//
// A Put that returned nil is on the disk (fsynced) and is found again after a
// power cut. The sequence numbers of results and jobs and the ids of events
// start at 1, have no gaps and never repeat. A gap appears in one case only,
// after a damaged file was replaced: see below.
//
// # Layout of the file
//
//	meta         "schema" and "counters"
//	results      number → result        resultids   id → number
//	pictures     number → picture
//	sessions     number → session       sessionids  id → number
//	events       number → event
//	jobs         number → job           jobids      id → number
//	credentials  name → credential
//
// The last three buckets came with schema 2; Open adds them to an older file.
//
// A number is 8 bytes, big endian, so the order of keys is the order of
// commitment. Results are walked in that order and not in the order of their
// ids: a device without a battery for its clock may go back in time at a power
// cut, and ids that carry the time go back with it. A journal entry about a
// result names the result and does not repeat it, so a result that was erased
// is gone from the journal too.
//
// Every value begins with a CRC-32C over the bucket's name, the key and the
// data, because bbolt itself checks only its two header pages.
//
// # A disk that cannot be written
//
// A write that fails leaves the file as it was. On a disk that is full or read
// only the file stays open for reading, and each further write tries the disk
// anew; that holds at Open too, where the file is sound.
//
// # A damaged file
//
// Open reads the whole file with plain reads and checks every page and every
// checksum before bbolt maps it into memory, because bbolt panics, recurses
// without end or touches memory outside the file where pages are wrong. A file
// that fails is set aside as <path>.damaged-<UTC time>, never overwritten, and
// a fresh one takes its place. Results, pictures, sessions, jobs and
// credentials that can still be reached and whose checksums hold are carried
// over. The journal is not: it starts anew, above every id that may have been
// given out before. Where one of the two header pages is damaged it may be the
// newer one; then the last commit is undone, be it a result or an erasure, and
// a credential that was removed last may be back.
//
// For that, a small file beside the store, <path>.ids, holds an upper bound of
// all numbers given out. It is written once in 1000 numbers, before they are
// used. When the store is damaged and this file is lost as well, numbering goes
// on at the greater of the highest number found plus a million and the time in
// milliseconds since 1970. An older copy of a store that somebody puts back by
// hand repeats numbers: nothing here can see that.
//
// # Space
//
// The file never shrinks. Space of what Prune and Delete remove is used again
// by what is written later. Until then the removed bytes are still in the file,
// as they are on most disks after any deletion.
package store
