package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"

	"go.etcd.io/bbolt"

	"livenessd"
)

// Schema is the version of the layout that this program writes and reads.
const Schema = 2

// Names of buckets; the package comment draws them.
const (
	bucketMeta       = "meta"
	bucketResults    = "results"
	bucketResultIDs  = "resultids"
	bucketPictures   = "pictures"
	bucketSessions   = "sessions"
	bucketSessionIDs = "sessionids"
	bucketEvents     = "events"

	// since schema 2
	bucketJobs        = "jobs"
	bucketJobIDs      = "jobids"
	bucketCredentials = "credentials"
)

// bucketsOf are the buckets that a file of each schema has.
var bucketsOf = map[int][]string{
	1: {bucketMeta, bucketResults, bucketResultIDs, bucketPictures, bucketSessions, bucketSessionIDs, bucketEvents},
	2: {bucketMeta, bucketResults, bucketResultIDs, bucketPictures, bucketSessions, bucketSessionIDs, bucketEvents,
		bucketJobs, bucketJobIDs, bucketCredentials},
}

// Keys of the bucket meta. The place and the form of the schema never change,
// whatever else does: an older program must be able to read them.
var (
	keySchema   = []byte("schema")   // decimal digits
	keyCounters = []byte("counters") // counters as JSON
)

// counters are the highest numbers given out and how many records there are.
type counters struct {
	Event   uint64 `json:"event"`
	Result  uint64 `json:"result"`
	Session uint64 `json:"session"`
	Job     uint64 `json:"job,omitempty"`

	Results  int `json:"results"`
	Pictures int `json:"pictures"`
	Sessions int `json:"sessions"`
	Events   int `json:"events"`

	Jobs        int `json:"jobs,omitempty"`
	Credentials int `json:"credentials,omitempty"`
}

// highest is what the side file has to cover.
func (c counters) highest() uint64 { return max(c.Event, c.Result, c.Session, c.Job) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const sumSize = 4 // bytes of checksum before every value

func checksum(bucket string, key, data []byte) uint32 {
	sum := crc32.Checksum([]byte(bucket), castagnoli)
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, data)
}

// seal puts the checksum in front of data.
func seal(bucket string, key, data []byte) []byte {
	out := make([]byte, sumSize, sumSize+len(data))
	binary.BigEndian.PutUint32(out, checksum(bucket, key, data))
	return append(out, data...)
}

// unseal checks the checksum and returns the data, which lies within value.
func unseal(bucket string, key, value []byte) ([]byte, error) {
	if len(value) < sumSize || binary.BigEndian.Uint32(value) != checksum(bucket, key, value[sumSize:]) {
		return nil, fmt.Errorf("store: the checksum of %s/%x is wrong", bucket, key)
	}
	return value[sumSize:], nil
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// parseNumber reads a key or an index entry.
func parseNumber(bucket string, b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("store: a number in %s has %d bytes instead of 8", bucket, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}

// putData stores data with its checksum.
func putData(tx *bbolt.Tx, bucket string, key, data []byte) error {
	b := tx.Bucket([]byte(bucket))
	if len(key) == 8 {
		// Numbers only grow, so a page that is full stays full: leave little room.
		b.FillPercent = 0.9
	}
	return b.Put(key, seal(bucket, key, data))
}

// getData returns what putData stored, valid within tx; nil when there is none.
func getData(tx *bbolt.Tx, bucket string, key []byte) ([]byte, error) {
	b := tx.Bucket([]byte(bucket))
	if b == nil { // read only, and an older program wrote the file
		return nil, nil
	}
	v := b.Get(key)
	if v == nil {
		return nil, nil
	}
	return unseal(bucket, key, v)
}

func putJSON(tx *bbolt.Tx, bucket string, key []byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("store: %s cannot be written as JSON (%v): %w", bucket, err, livenessd.ErrInvalid)
	}
	if len(data) > maxRecord {
		return fmt.Errorf("store: a record of %d bytes for %s; the limit is %d: %w", len(data), bucket, maxRecord, livenessd.ErrTooLarge)
	}
	return putData(tx, bucket, key, data)
}

// getJSON decodes into v and reports whether there was anything.
func getJSON(tx *bbolt.Tx, bucket string, key []byte, v any) (bool, error) {
	data, err := getData(tx, bucket, key)
	if err != nil || data == nil {
		return false, err
	}
	return true, decode(bucket, key, data, v)
}

func decode(bucket string, key, data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("store: %s/%x cannot be read: %w", bucket, key, err)
	}
	return nil
}

// lookup finds the number of a named record, 0 when there is none.
func lookup(tx *bbolt.Tx, index string, id []byte) (uint64, error) {
	data, err := getData(tx, index, id)
	if err != nil || data == nil {
		return 0, err
	}
	return parseNumber(index, data)
}

func getCounters(tx *bbolt.Tx) (counters, error) {
	var c counters
	_, err := getJSON(tx, bucketMeta, keyCounters, &c)
	return c, err
}

func putCounters(tx *bbolt.Tx, c counters) error {
	return putJSON(tx, bucketMeta, keyCounters, c)
}

// layOut makes an empty store of the present schema whose numbers go on after
// base.
func layOut(tx *bbolt.Tx, base uint64) error {
	for _, name := range bucketsOf[Schema] {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return fmt.Errorf("store: making the bucket %s: %w", name, err)
		}
	}
	if err := putData(tx, bucketMeta, keySchema, []byte(strconv.Itoa(Schema))); err != nil {
		return err
	}
	return putCounters(tx, counters{Event: base, Result: base, Session: base, Job: base})
}

// migrate brings a store of an older schema up to Schema, one step at a time
// and all in the caller's transaction.
func migrate(tx *bbolt.Tx) error {
	data, err := getData(tx, bucketMeta, keySchema)
	if err != nil {
		return err
	}
	version, err := strconv.Atoi(string(data))
	if err != nil {
		return fmt.Errorf("store: the schema version %q is not a number", data)
	}
	if version == Schema {
		return nil
	}
	if version != 1 {
		return fmt.Errorf("store: there is no way from schema %d to %d: %w", version, Schema, livenessd.ErrInvalid)
	}
	for _, name := range []string{bucketJobs, bucketJobIDs, bucketCredentials} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return fmt.Errorf("store: making the bucket %s: %w", name, err)
		}
	}
	return putData(tx, bucketMeta, keySchema, []byte(strconv.Itoa(Schema)))
}
