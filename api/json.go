package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Bodies of the dialects are mostly one string of a hundred kilobytes and
// more. The functions here look at each byte of it once and copy none, where
// encoding/json would scan it four times; what is not such a string they leave
// to encoding/json. A fuzz test holds them to it.

var errJSON = errors.New("this is not well-formed JSON")

// maxDepth bounds how deeply arrays and objects of a body may nest; the
// dialects need three.
const maxDepth = 32

// jsonObject returns the members of the JSON object b, by name as it is
// written; the values are parts of b. A name that comes twice is an error, so
// that two readers of one body cannot differ.
func jsonObject(b []byte) (map[string]json.RawMessage, error) {
	b = bytes.TrimLeft(b, jsonSpace)
	if len(b) == 0 || b[0] != '{' || !utf8.Valid(b) {
		return nil, errJSON
	}
	members := make(map[string]json.RawMessage)
	rest, err := jsonMembers(b, 1, func(name string, value []byte) error {
		if _, twice := members[name]; twice {
			return errJSON
		}
		members[name] = value
		return nil
	})
	if err != nil || len(bytes.TrimLeft(rest, jsonSpace)) > 0 {
		return nil, errJSON
	}
	return members, nil
}

// jsonArray returns the elements of the JSON array b, as parts of b.
func jsonArray(b []byte) ([]json.RawMessage, error) {
	b = bytes.TrimLeft(b, jsonSpace)
	if len(b) == 0 || b[0] != '[' {
		return nil, errJSON
	}
	var elements []json.RawMessage
	rest, err := jsonElements(b, 1, func(value []byte) error {
		elements = append(elements, value)
		return nil
	})
	if err != nil || len(bytes.TrimLeft(rest, jsonSpace)) > 0 {
		return nil, errJSON
	}
	return elements, nil
}

// jsonText returns what the JSON string b says; a part of b when nothing in it
// is escaped.
func jsonText(b []byte) ([]byte, error) {
	b = bytes.Trim(b, jsonSpace)
	rest, err := jsonString(b)
	if err != nil || len(rest) > 0 {
		return nil, errJSON
	}
	inner := b[1 : len(b)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, errJSON
	}
	return []byte(s), nil
}

// isNull tells whether a member is absent or says null.
func isNull(b json.RawMessage) bool { return len(b) == 0 || string(b) == "null" }

const jsonSpace = " \t\r\n"

// jsonValue checks the value that b begins with and returns what follows it.
func jsonValue(b []byte, depth int) (rest []byte, err error) {
	if depth > maxDepth || len(b) == 0 {
		return nil, errJSON
	}
	switch b[0] {
	case '"':
		return jsonString(b)
	case '{':
		return jsonMembers(b, depth+1, func(string, []byte) error { return nil })
	case '[':
		return jsonElements(b, depth+1, func([]byte) error { return nil })
	}
	end := bytes.IndexAny(b, ",]} \t\r\n")
	if end < 0 {
		end = len(b)
	}
	if !json.Valid(b[:end]) {
		return nil, errJSON
	}
	return b[end:], nil
}

// jsonString is jsonValue for a string.
func jsonString(b []byte) (rest []byte, err error) {
	if len(b) == 0 || b[0] != '"' {
		return nil, errJSON
	}
	escaped := false
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			if escaped && !json.Valid(b[:i+1]) {
				return nil, errJSON
			}
			return b[i+1:], nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			return nil, errJSON
		}
	}
	return nil, errJSON
}

// jsonMembers is jsonValue for an object, and shows each member to see.
func jsonMembers(b []byte, depth int, see func(name string, value []byte) error) (rest []byte, err error) {
	return jsonList(b, '}', func(b []byte) ([]byte, error) {
		after, err := jsonString(b)
		if err != nil {
			return nil, err
		}
		name, err := jsonText(b[:len(b)-len(after)])
		if err != nil {
			return nil, err
		}
		after = bytes.TrimLeft(after, jsonSpace)
		if len(after) == 0 || after[0] != ':' {
			return nil, errJSON
		}
		value := bytes.TrimLeft(after[1:], jsonSpace)
		rest, err := jsonValue(value, depth)
		if err != nil {
			return nil, err
		}
		return rest, see(string(name), value[:len(value)-len(rest)])
	})
}

// jsonElements is jsonValue for an array, and shows each element to see.
func jsonElements(b []byte, depth int, see func(value []byte) error) (rest []byte, err error) {
	return jsonList(b, ']', func(b []byte) ([]byte, error) {
		rest, err := jsonValue(b, depth)
		if err != nil {
			return nil, err
		}
		return rest, see(b[:len(b)-len(rest)])
	})
}

// jsonList reads what stands between b's first byte and end, each item of it
// by the function item, which returns what follows the item.
func jsonList(b []byte, end byte, item func(b []byte) ([]byte, error)) (rest []byte, err error) {
	b = bytes.TrimLeft(b[1:], jsonSpace)
	if len(b) > 0 && b[0] == end {
		return b[1:], nil
	}
	for {
		if b, err = item(b); err != nil {
			return nil, err
		}
		b = bytes.TrimLeft(b, jsonSpace)
		if len(b) == 0 {
			return nil, errJSON
		}
		separator := b[0]
		b = bytes.TrimLeft(b[1:], jsonSpace)
		switch separator {
		case end:
			return b, nil
		case ',':
		default:
			return nil, errJSON
		}
	}
}
