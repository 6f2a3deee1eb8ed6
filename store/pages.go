package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// This file reads bbolt's pages without bbolt. The layout is that of bbolt
// v1.5.0 (internal/common: page.go, meta.go, inode.go, bucket.go), format
// version 2, in the byte order of the machine.

const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader  = 16 // id 8, flags 2, count 2, overflow 4
	elementSize = 16 // leaf: flags, pos, ksize, vsize; branch: pos, ksize, page id
	metaSize    = 64
	inBucket    = 16 // root page 8, sequence 8

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10
	flagBucket   = 0x01 // of a leaf element

	minPageSize = 1 << 10
	maxPageSize = 1 << 16 // the largest page of the kernels we run on
	maxDepth    = 32      // a tree of 2-key pages this deep would exceed any disk
	maxNode     = 64 << 20
)

var order = binary.NativeEndian

// damage is an error that the file itself is to blame for.
type damage struct{ what string }

func (d *damage) Error() string { return d.what }

func damaged(format string, a ...any) error { return &damage{fmt.Sprintf(format, a...)} }

func isDamage(err error) bool {
	var d *damage
	return errors.As(err, &d)
}

// header is what a meta page says.
type header struct {
	pageSize uint64
	root     uint64
	freelist uint64
	pages    uint64 // pages in use, the high-water mark
	txid     uint64
}

// pageFile walks the pages of a bbolt file. Nothing that the file says is
// believed before it was compared with the file's size.
type pageFile struct {
	r    io.ReaderAt
	size int64
	header
	seen    []bool // pages met in this walk
	buf     [maxDepth][]byte
	lenient bool // skip what is damaged instead of ending the walk
	skipped int  // places skipped by a lenient walk
}

// leafFunc is called for each element of a bucket's leaves, in order of keys.
// The slices are valid during the call. bucket says that value is the header of
// a bucket.
type leafFunc func(depth int, bucket bool, key, value []byte) error

// openPages reads both header pages. It returns a usable pageFile when at least
// one of them is sound, together with an error unless both are: the older one
// may lack the last commit.
func openPages(r io.ReaderAt, size int64) (*pageFile, error) {
	p := &pageFile{r: r, size: size}
	first, err0 := p.readHeader(0)
	second, err1 := p.secondHeader(first.pageSize, err0)
	if err0 != nil && err1 != nil {
		return nil, err0
	}
	p.header = first
	if err0 != nil || (err1 == nil && second.txid > first.txid) {
		p.header = second
	}
	if p.pages > uint64(size)/p.pageSize {
		err := damaged("the file has %d bytes and should have at least %d pages of %d", size, p.pages, p.pageSize)
		if p.pages = uint64(size) / p.pageSize; p.pages <= 2 {
			return nil, err // nothing but headers
		}
		return p, err
	}
	return p, errors.Join(err0, err1)
}

// secondHeader reads the header at page 1. Where page 0 is damaged the size of
// a page is not known yet, and each possible one is tried.
func (p *pageFile) secondHeader(pageSize uint64, err0 error) (header, error) {
	if err0 == nil {
		return p.readHeader(pageSize)
	}
	for size := uint64(minPageSize); size <= maxPageSize; size *= 2 {
		if h, err := p.readHeader(size); err == nil && h.pageSize == size {
			return h, nil
		}
	}
	return header{}, err0
}

func (p *pageFile) readHeader(at uint64) (header, error) {
	var b [pageHeader + metaSize]byte
	if _, err := p.r.ReadAt(b[:], int64(at)); err != nil {
		return header{}, damaged("the header page at byte %d cannot be read: %v", at, err)
	}
	m := b[pageHeader:]
	h := header{
		pageSize: uint64(order.Uint32(m[8:])),
		root:     order.Uint64(m[16:]),
		freelist: order.Uint64(m[32:]),
		pages:    order.Uint64(m[40:]),
		txid:     order.Uint64(m[48:]),
	}
	sum := fnv.New64a()
	sum.Write(m[:56])
	switch {
	case order.Uint32(m) != boltMagic || order.Uint32(m[4:]) != boltVersion:
		return header{}, damaged("the header page at byte %d is not one of a bbolt file", at)
	case order.Uint64(m[56:]) != sum.Sum64():
		return header{}, damaged("the checksum of the header page at byte %d is wrong", at)
	case order.Uint64(b[:]) != min(at, 1): // page 0 lies at 0, page 1 behind it
		return header{}, damaged("the header page at byte %d calls itself page %d", at, order.Uint64(b[:]))
	case order.Uint16(b[8:]) != flagMeta:
		return header{}, damaged("the header page at byte %d has the wrong type", at)
	case h.pageSize < minPageSize || h.pageSize > maxPageSize || h.pageSize&(h.pageSize-1) != 0:
		return header{}, damaged("the header page at byte %d gives a page size of %d", at, h.pageSize)
	case h.pages < 4:
		return header{}, damaged("the header page at byte %d counts %d pages", at, h.pages)
	}
	return h, nil
}

// restart forgets which pages were met, for another walk.
func (p *pageFile) restart() {
	p.seen = make([]bool, p.pages)
	p.seen[0], p.seen[1] = true, true
}

// bad ends a strict walk and lets a lenient one go on behind the damage.
func (p *pageFile) bad(err error) error {
	if p.lenient && isDamage(err) {
		p.skipped++
		return nil
	}
	return err
}

// page reads page id with what overflows it, into the buffer of this depth, and
// marks it as met.
func (p *pageFile) page(id uint64, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return nil, damaged("pages are nested more than %d deep", maxDepth)
	}
	if id < 2 || id >= p.pages {
		return nil, damaged("page %d is outside the file", id)
	}
	b, err := p.read(id, p.pageSize, depth)
	if err != nil {
		return nil, err
	}
	more := uint64(order.Uint32(b[12:]))
	length := (more + 1) * p.pageSize
	switch {
	case order.Uint64(b) != id:
		return nil, damaged("page %d calls itself %d", id, order.Uint64(b))
	case more >= p.pages-id || length > maxNode:
		return nil, damaged("page %d claims %d further pages", id, more)
	}
	for i := id; i <= id+more; i++ {
		if p.seen[i] {
			return nil, damaged("page %d is used twice", i)
		}
		p.seen[i] = true
	}
	if more > 0 {
		return p.read(id, length, depth)
	}
	return b, nil
}

func (p *pageFile) read(id, length uint64, depth int) ([]byte, error) {
	if uint64(cap(p.buf[depth])) < length {
		p.buf[depth] = make([]byte, length)
	}
	b := p.buf[depth][:length]
	if _, err := p.r.ReadAt(b, int64(id*p.pageSize)); err != nil {
		return nil, damaged("page %d cannot be read: %v", id, err)
	}
	return b, nil
}

// walk calls fn for every element below page id. All keys must lie in
// [low, high); nil is no bound.
func (p *pageFile) walk(id uint64, low, high []byte, depth int, fn leafFunc) error {
	b, err := p.page(id, depth)
	if err != nil {
		return p.bad(err)
	}
	switch order.Uint16(b[8:]) {
	case flagLeaf:
		return p.leaf(id, b, low, high, depth, fn)
	case flagBranch:
		return p.branch(id, b, low, high, depth, fn)
	}
	return p.bad(damaged("page %d has the wrong type %#x", id, order.Uint16(b[8:])))
}

func (p *pageFile) branch(id uint64, b, low, high []byte, depth int, fn leafFunc) error {
	count := int(order.Uint16(b[10:]))
	if count == 0 || pageHeader+count*elementSize > len(b) {
		return p.bad(damaged("branch page %d counts %d keys", id, count))
	}
	for i := range count {
		key, child, err := branchElement(b, i)
		next := high
		if err == nil && i+1 < count {
			next, _, err = branchElement(b, i+1)
		}
		if err == nil {
			err = inOrder(key, low, next)
		}
		if err != nil {
			err = p.bad(damaged("branch page %d: %v", id, err))
		} else {
			err = p.walk(child, key, next, depth+1, fn)
			low = key
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func branchElement(b []byte, i int) (key []byte, child uint64, err error) {
	at := pageHeader + i*elementSize
	key, err = slice(b, uint64(at)+uint64(order.Uint32(b[at:])), uint64(order.Uint32(b[at+4:])))
	if len(key) == 0 && err == nil {
		err = errors.New("an empty key")
	}
	return key, order.Uint64(b[at+8:]), err
}

func (p *pageFile) leaf(id uint64, b, low, high []byte, depth int, fn leafFunc) error {
	count := int(order.Uint16(b[10:]))
	if pageHeader+count*elementSize > len(b) {
		return p.bad(damaged("leaf page %d counts %d keys", id, count))
	}
	first := true
	for i := range count {
		at := pageHeader + i*elementSize
		flags, ksize, vsize := order.Uint32(b[at:]), uint64(order.Uint32(b[at+8:])), uint64(order.Uint32(b[at+12:]))
		both, err := slice(b, uint64(at)+uint64(order.Uint32(b[at+4:])), ksize+vsize)
		switch {
		case err != nil:
		case ksize == 0:
			err = errors.New("an empty key")
		case flags&^flagBucket != 0:
			err = fmt.Errorf("unknown flags %#x", flags)
		case !first && bytes.Equal(both[:ksize], low):
			err = errors.New("a key twice")
		default:
			err = inOrder(both[:ksize], low, high)
		}
		if err != nil {
			err = p.bad(damaged("leaf page %d: %v", id, err))
		} else {
			low, first = both[:ksize], false
			err = p.bad(fn(depth, flags == flagBucket, both[:ksize], both[ksize:]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func slice(b []byte, from, length uint64) ([]byte, error) {
	if from < pageHeader || from > uint64(len(b)) || length > uint64(len(b))-from {
		return nil, errors.New("a key or value reaches outside the page")
	}
	return b[from : from+length : from+length], nil
}

// inOrder checks low <= key < high.
func inOrder(key, low, high []byte) error {
	if (low != nil && bytes.Compare(key, low) < 0) || (high != nil && bytes.Compare(key, high) >= 0) {
		return errors.New("a key is out of order")
	}
	return nil
}

// bucket walks the bucket whose header is value, found at depth.
func (p *pageFile) bucket(name string, depth int, value []byte, fn leafFunc) error {
	if len(value) < inBucket {
		return p.bad(damaged("the bucket %s has no header", name))
	}
	if root := order.Uint64(value); root != 0 {
		return p.walk(root, nil, nil, depth+1, fn)
	}
	b := value[inBucket:] // a small bucket lies within its parent's page
	if len(b) < pageHeader || order.Uint16(b[8:]) != flagLeaf {
		return p.bad(damaged("the bucket %s is not a leaf", name))
	}
	return p.leaf(0, b, nil, nil, depth, fn)
}

// account checks that every page is either in use or free and none is both. It
// follows a strict walk of the whole file.
func (p *pageFile) account() error {
	b, err := p.page(p.freelist, 0)
	if err != nil {
		return err
	}
	if order.Uint16(b[8:]) != flagFreelist {
		return damaged("page %d is not the list of free pages", p.freelist)
	}
	count, ids := uint64(order.Uint16(b[10:])), b[pageHeader:]
	if count == 0xFFFF { // the true number stands in front
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids))/8 {
		return damaged("the list of free pages counts %d", count)
	}
	for i := range count {
		id := order.Uint64(ids[8*i:])
		if id < 2 || id >= p.pages || p.seen[id] {
			return damaged("page %d cannot be free", id)
		}
		p.seen[id] = true
	}
	for id, ok := range p.seen {
		if !ok {
			return damaged("page %d is neither in use nor free", id)
		}
	}
	return nil
}
